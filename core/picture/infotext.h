#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/params/param_table.h"
#include "core/params/param_values.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sg {

struct TextChunk;

inline constexpr std::size_t kMaxInfotext = 1u << 20;
/// The keyword of the PNG text that holds it.
inline constexpr std::string_view kInfotextKeyword = "parameters";

/// What one picture's infotext is made from.
struct InfotextFacts {
    const ParamValues &values;
    const ParamTable &table;
    std::string modelName;
    std::string modelHash;  ///< 10 hexadecimal digits; empty: not written
    std::int64_t seed = 0;  ///< of this picture, not of the task
    std::int64_t subseed = 0;
    std::string scheduleLabel;  ///< what was computed (effectiveSchedule); empty: not written
    std::string version;        ///< empty: "Serigraph" and the product's version
    /// Keys that no row has, with values: "Lora hashes", "TI hashes", "VAE", …; those of a fixed place go there.
    std::vector<std::pair<std::string, std::string>> extras = {};
};

/// A1111's text: prompt, "Negative prompt: …", then one line of pairs, its keys in A1111's order, then the table's
/// other rows that differ from their default, then Version. A text in UTF-8 with what A1111 would quote in quotes.
/// Source  the format's facts: docs/infotext.md.
std::string infotext(const InfotextFacts &facts);

/// An infotext as read.
struct ParsedInfotext {
    std::string prompt;
    std::string negativePrompt;
    std::vector<std::pair<std::string, std::string>> pairs;  ///< as they stand, quotes taken off
    Json params = Json::object();  ///< the pairs and prompts that the table knows, by its keys: a body for parseParams
    std::vector<std::string> notes;  ///< values that the table refuses, keys that nothing reads; English

    /// The value of the first pair with this key, or an empty text.
    std::string_view value(std::string_view key) const;
};

/// Reads what infotext() writes, and what A1111 and others write: pairs in any order, unknown ones kept. A text without
/// a line of at least three pairs is all prompt. Errors  TooLarge over 1 MiB; InvalidArgument for text that is not
/// UTF-8 or holds U+0000.
Expected<ParsedInfotext> parseInfotext(std::string_view text, const ParamTable &table = ParamTable::standard());

/// The infotext in a picture's file: a PNG's text, else EXIF's UserComment; empty where there is none.
std::string infotextIn(std::string_view file);
std::string infotextIn(const std::vector<TextChunk> &texts);

/// Whether A1111 gives the key a place of its own before the others.
bool isFixedInfotextKey(std::string_view key);

/// A number as Python prints it: 7 -> "7.0", 0.1 -> "0.1", 1e22 -> "1e+22".
std::string pythonNumber(double value);

}  // namespace sg
