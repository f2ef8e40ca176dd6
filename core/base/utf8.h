#pragma once

#include <string>
#include <string_view>

namespace sg {

/// Code points of UTF-8 text. Each byte that is part of no well-formed sequence becomes U+FFFD.
std::u32string decodeUtf8(std::string_view text);
void appendUtf8(std::string &out, char32_t codePoint);
std::string encodeUtf8(std::u32string_view text);

/// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text);

/// With A to Z made small; other letters stay.
std::string lowerAscii(std::string_view text);

}  // namespace sg
