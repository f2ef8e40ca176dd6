#pragma once

#include "core/base/expected.h"
#include "core/modelfile/byte_source.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace sg {

/// Longest header that is read: what the format's own library allows.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Reads and checks the header of a safetensors file: bounds, JSON, names, types, shapes, and that the tensors fill the
/// file without hole, overlap or trailing byte. Reads with pread; maps nothing and touches no weights. Errors NotFound;
/// UnusableFile with the rule that is broken; subject = the path.
Expected<TensorIndex> readSafetensors(const std::filesystem::path &path);
Expected<TensorIndex> readSafetensors(const ByteSource &source);

/// The same checks on a header in memory (the JSON after the 8 length bytes), for a file of `fileSize` bytes.
Expected<TensorIndex> parseSafetensors(std::string_view header, std::uint64_t fileSize);

}  // namespace sg
