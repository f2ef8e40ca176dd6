#include "core/picture/infotext_unread.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace sg {
namespace {

constexpr std::size_t kMostNamed = 20;
constexpr std::size_t kLongestKey = 60;

/// Pairs that are read without a row of their name, or that say of the picture what is known or changes nothing.
constexpr std::array<std::string_view, 26> kReadOrTold{"Size",
                                                       "Size-1",
                                                       "Size-2",
                                                       "Seed resize from",
                                                       "Hires resize",
                                                       "Schedule type",
                                                       "Model hash",
                                                       "VAE hash",
                                                       "Refiner hash",
                                                       "Lora hashes",
                                                       "TI hashes",
                                                       "TI",
                                                       "Hashes",
                                                       "Init image hash",
                                                       "Template",
                                                       "Negative Template",
                                                       "Wildcard prompt",
                                                       "Loop",
                                                       "Final denoising strength",
                                                       "Denoising curve",
                                                       "Batch size",
                                                       "Batch pos",
                                                       "Version",
                                                       "User",
                                                       "Created Date",
                                                       "Civitai resources"};

/// What A1111 and others write where nothing was done.
bool saysNothing(std::string_view value)
{
    constexpr std::array<std::string_view, 7> kNothing{"", "0", "0.0", "None", "none", "False", "false"};
    return std::find(kNothing.begin(), kNothing.end(), value) != kNothing.end();
}

bool isRead(std::string_view key, const ParamTable &table)
{
    if (std::find(kReadOrTold.begin(), kReadOrTold.end(), key) != kReadOrTold.end()) return true;
    const auto named = [&](const ParamSpec &spec) { return spec.infotextKey == key; };
    const auto &own = table.specs(), &all = ParamTable::standard().specs();
    return std::any_of(own.begin(), own.end(), named) || std::any_of(all.begin(), all.end(), named);
}

}  // namespace

void noteWhatIsNotRead(ParsedInfotext &parsed, const ParamTable &table)
{
    std::string names;
    std::size_t count = 0;
    for (const auto &[key, value] : parsed.pairs) {
        if (saysNothing(value) || isRead(key, table)) continue;
        if (++count > kMostNamed) continue;
        if (!names.empty()) names += ", ";
        names += key.size() > kLongestKey ? std::string("a long name") : key;
    }
    if (count == 0) return;
    if (count > kMostNamed) names += " and " + std::to_string(count - kMostNamed) + " more";
    parsed.notes.push_back("not read, so that the picture may differ: " + names);
}

}  // namespace sg
