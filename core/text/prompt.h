#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

inline constexpr std::size_t kMaxPromptBytes = 64 * 1024;
inline constexpr std::size_t kMaxPromptBrackets = 64;

/// What becomes of brackets and weights.
enum class Emphasis {
    Original,  ///< weighted, then brought back to the mean that there was before
    None,      ///< brackets, weights and BREAK are text
    Ignore,    ///< read and left out
    NoNorm,    ///< weighted
};
/// By A1111's names: "Original", "None", "Ignore", "No norm"; an unknown one is Original.
Emphasis emphasisFromName(std::string_view name);

/// A run of prompt text and how much it weighs.
struct WeightedText {
    std::string text;
    double weight = 1;

    /// The word BREAK outside brackets: the rest of the chunk stays empty.
    bool isBreak() const { return text == "BREAK" && weight == -1; }
    bool operator==(const WeightedText &) const = default;
};

/// A1111's attention syntax: (x) weighs 1.1 times as much, [x] 1/1.1, (x:1.5) 1.5; \( \) \[ \] \\ are the characters
/// themselves; brackets left open act to the end; a closing one without an opening is text. Neighbours of equal weight
/// are joined. What is no number, as in (x:1e9) or (x:.), is text. Linear in the length. Errors  TooLarge over 64 KiB;
/// InvalidArgument for text that is not UTF-8, more than 64 brackets open at once, and a weight that is not finite as a
/// 32-bit float. Subject "prompt". Source  AUTOMATIC1111 webui 1.10.1, behaviour of its prompt parser.
Expected<std::vector<WeightedText>> parsePrompt(std::string_view prompt);

}  // namespace sg
