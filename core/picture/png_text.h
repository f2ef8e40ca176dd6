#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// A text of a PNG file: keyword (Latin-1, 1 to 79 characters, "parameters") and UTF-8 text.
struct TextChunk {
    std::string keyword;
    std::string text;
    bool operator==(const TextChunk &) const = default;
};

inline constexpr std::size_t kMaxPngText = 4u << 20;  ///< bytes of all texts of a file, unpacked
inline constexpr std::size_t kMaxPngTexts = 256;

/// The texts of a PNG file (tEXt, zTXt, iTXt), in the file's order, without decoding pixels. Chunks whose check sum is
/// wrong, and texts past the limits above, are left out; nothing is unpacked past them. Errors  UnusableFile for what
/// is no PNG.
Expected<std::vector<TextChunk>> readPngTexts(std::string_view png);

/// The chunk, complete with length and check sum, that holds `text`: tEXt when all of it is Latin-1, else iTXt.
/// Empty for a keyword that PNG does not allow and for a text with U+0000.
std::string pngTextChunk(const TextChunk &text);

}  // namespace sg
