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

/// Unicode's White_Space.
bool isSpace(char32_t codePoint);
/// General category L*.
bool isLetter(char32_t codePoint);
/// General category N*.
bool isNumber(char32_t codePoint);

/// Normalisation form C.
std::u32string composed(const std::u32string &text);
/// The compatibility form of one code point (NFKC): a wide A becomes A.
std::u32string compatible(char32_t codePoint);
/// Lower case as Unicode's default mapping has it, with final sigma and the dotted capital I.
std::u32string lowered(const std::u32string &text);

}  // namespace sg
