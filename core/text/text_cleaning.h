#pragma once

#include <string>
#include <string_view>

namespace sg {

/// A prompt as CLIP's tokenizer splits it: typographic repairs, normal form C, single spaces, lower case.
/// Source  what ftfy.fix_text does to text that is not mis-decoded, then CLIPTokenizer (docs/decisions/tokenizer.md).
std::u32string cleanText(std::string_view text);

}  // namespace sg
