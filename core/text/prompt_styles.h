#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

inline constexpr std::size_t kMaxStylesFile = 4 * 1024 * 1024;

/// A named pair of texts that is put around a prompt.
struct PromptStyle {
    std::string name;
    std::string prompt;
    std::string negativePrompt;
    bool operator==(const PromptStyle &) const = default;
};

/// A styles.csv of A1111: a heading with name, prompt (once "text") and negative_prompt in any order, then a row for
/// each style; fields in quotes may hold commas, quotes (doubled) and line ends. Rows without a name are left out.
/// Errors  TooLarge over 4 MiB; UnusableFile, with the line: not UTF-8, no heading, a quote that does not end.
Expected<std::vector<PromptStyle>> parseStyles(std::string_view csv);

/// "{prompt}" in the style is replaced; a style without it is joined behind by a comma.
/// Errors  TooLarge when the result has more than 64 KiB, subject "styles".
Expected<std::string> withStyle(std::string_view style, std::string_view prompt);

/// The names of a `styles` field: one a line, or joined by commas.
std::vector<std::string> styleNames(std::string_view field);

}  // namespace sg
