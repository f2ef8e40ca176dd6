#pragma once

#include "core/base/expected.h"
#include "core/modelfile/byte_source.h"

#include <cstdint>
#include <string>

namespace sg {

inline constexpr std::uint32_t kMaxHidingSide = 16384;         ///< pixels
inline constexpr std::uint64_t kMaxHidingPixels = 64'000'000;  ///< of the whole picture
inline constexpr std::size_t kMaxHiddenText = 16u << 20;       ///< bytes, unpacked

/// The JSON text of an embedding that is hidden in a PNG's pixels: in the low four bits of a stripe left of the picture
/// and of one right of it, each set off by a column in which those bits are zero.
/// Errors  NotFound for what is no PNG and when nothing is hidden there; UnusableFile for what is too large, cut off or
///         damaged.
/// Source  AUTOMATIC1111, modules/textual_inversion/image_embedding.py: the format.
Expected<std::string> readHiddenEmbedding(const ByteSource &file);

}  // namespace sg
