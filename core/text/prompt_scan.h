#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace sg {

/// What the parsers of prompts share. Texts are well-formed UTF-8 (checkPrompt), places are bytes.

/// One code point, and how many bytes it takes.
struct CodePoint {
    char32_t value = 0;
    std::size_t bytes = 1;
};
CodePoint codePointAt(std::string_view text, std::size_t at);
/// Where the code point before `at` begins; `at` is not 0.
std::size_t previousStart(std::string_view text, std::size_t at);

/// Python's \w and \s.
bool isWordCharacter(char32_t c);
bool isBlankCharacter(char32_t c);
std::size_t skipSpace(std::string_view text, std::size_t at);
std::string_view trimmedText(std::string_view text);
/// Whether the word from `begin` to `end` has no word character on either side.
bool standsAlone(std::string_view text, std::size_t begin, std::size_t end);

/// Python's float() of digits with an optional sign, dot and exponent; what is too large is infinite, what is too small
/// 0. Knows no locale. The caller has checked the characters.
double decimal(std::string_view number);

/// "at character 12", counted from 1 and in code points, as an editor shows it.
std::string placeOf(std::string_view text, std::size_t at);

/// Errors  TooLarge over 64 KiB; InvalidArgument for text that is not UTF-8. Subject "prompt".
Expected<void> checkPrompt(std::string_view prompt);

}  // namespace sg
