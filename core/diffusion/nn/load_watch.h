#pragma once

#include <cstdint>
#include <functional>

namespace sg {

/// Told while files are read: how many bytes of how many have been asked of the disk. When both are the same, what was
/// asked for is still coming, and networks are being made or LoRAs merged.
using LoadWatch = std::function<void(std::uint64_t bytes, std::uint64_t total)>;

}  // namespace sg
