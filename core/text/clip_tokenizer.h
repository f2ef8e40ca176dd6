#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sg {

/// Token of the comma, which the chunking looks for.
inline constexpr std::int32_t kCommaToken = 267;

/// CLIP's token ids of a text, without start and end mark. Each byte outside UTF-8 counts as U+FFFD.
/// Time is n log n, whatever the text. Thread  any.
/// Source  Radford et al. 2021 (CLIP); Sennrich et al. 2016 (BPE). What was decided about text cleaning:
/// docs/decisions/tokenizer.md.
std::vector<std::int32_t> clipTokens(std::string_view text);

}  // namespace sg
