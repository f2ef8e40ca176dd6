#pragma once

#include <cstdint>
#include <filesystem>

namespace sg {

/// Bytes that this process could still use before the system swaps or ends it: what the machine says, the limits of the
/// control groups that it is in (both versions), and what its own heap holds free. 0 where nothing can be read.
std::uint64_t availableMemory();

/// All that this process could ever have: the machine's memory, or the least limit of its control groups.
std::uint64_t totalMemory();

/// The same from other folders than /proc and /sys/fs/cgroup, without the heap.
std::uint64_t availableMemory(const std::filesystem::path &proc, const std::filesystem::path &groups);
std::uint64_t totalMemory(const std::filesystem::path &proc, const std::filesystem::path &groups);

}  // namespace sg
