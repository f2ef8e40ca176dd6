#pragma once

#include "core/base/utf8.h"

#include <string>

namespace sg {

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
