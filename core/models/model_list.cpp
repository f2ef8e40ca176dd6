#include "core/models/model_list.h"

#include "core/base/utf8.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <tuple>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kShortHash = 10;

std::size_t typeRank(const std::string &type)
{
    constexpr std::array<std::string_view, 7> kOrder{"stableDiffusion", "sdVae",    "lora", "embedding",
                                                     "controlNet",      "upscaler", "taesd"};
    return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), type) - kOrder.begin());
}

std::string_view lastPart(std::string_view name)
{
    return name.substr(name.rfind('/') + 1);
}

bool isHex(std::string_view text)
{
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// What a client wrote, taken apart: "sub/name.safetensors [abcdef1234]".
struct Wanted {
    std::string name;
    std::string hash;

    explicit Wanted(std::string_view id)
    {
        if (id.ends_with(']')) {
            const std::size_t open = id.rfind(" [");
            if (open != std::string_view::npos) {
                hash = lowerAscii(id.substr(open + 2, id.size() - open - 3));
                id = id.substr(0, open);
            }
        }
        name = id;
        if (hash.empty() && (id.size() == kShortHash || id.size() == 64) && isHex(lowerAscii(id)))
            hash = lowerAscii(id);
    }
};

/// How well a record answers; smaller is better, 0 not at all.
int match(const ModelRecord &record, const Wanted &wanted)
{
    const std::string extension = std::filesystem::path(record.path).extension().string();
    const auto named = [](std::string_view a, const std::string &extensionOf, std::string_view b) {
        return a == b || (b.size() == a.size() + extensionOf.size() && b.starts_with(a) && b.ends_with(extensionOf));
    };
    const bool hashFits = !wanted.hash.empty() && !record.sha256.empty() && record.sha256.starts_with(wanted.hash);
    const bool nameFits = named(record.name, extension, wanted.name);
    if (nameFits && (wanted.hash.empty() || hashFits || wanted.hash == wanted.name)) return 1;
    if (hashFits && wanted.hash.size() >= kShortHash) return 2;
    if (nameFits) return 3;
    if (named(lastPart(record.name), extension, wanted.name)) return 4;
    const std::string lowered = lowerAscii(wanted.name);
    if (named(lowerAscii(record.name), lowerAscii(extension), lowered)) return 5;
    if (named(lowerAscii(lastPart(record.name)), lowerAscii(extension), lowered)) return 6;
    return 0;
}

}  // namespace

std::vector<ModelRecord> settleNames(std::vector<ListedModel> models)
{
    std::vector<ModelRecord> settled;
    settled.reserve(models.size());
    std::set<std::pair<std::string, std::string>> taken;
    for (ListedModel &model : models) {
        ModelRecord &record = model.record;
        const std::filesystem::path path(record.path);
        const auto claim = [&](const std::string &name) {
            if (!taken.emplace(record.type, name).second) return false;
            record.name = name;
            return true;
        };
        const std::string original = record.name;
        const std::string inFolder = std::filesystem::path(model.root).filename().string() + "/" + original;
        const std::string withExtension = original + path.extension().string();
        if (!claim(original) && !claim(inFolder) && !claim(withExtension))
            for (int number = 2; !claim(inFolder + "-" + std::to_string(number));)
                ++number;
        settled.push_back(std::move(record));
    }
    std::sort(settled.begin(), settled.end(), [](const ModelRecord &a, const ModelRecord &b) {
        return std::forward_as_tuple(typeRank(a.type), a.type, a.name) <
               std::forward_as_tuple(typeRank(b.type), b.type, b.name);
    });
    return settled;
}

std::optional<ModelRecord> findModel(const std::vector<ModelRecord> &models, std::string_view id, std::string_view type)
{
    if (id.empty()) return std::nullopt;
    const Wanted wanted(id);
    const ModelRecord *best = nullptr;
    std::pair<int, bool> bestRank{100, true};
    for (const ModelRecord &record : models) {
        if (!type.empty() && record.type != type) continue;
        const int rank = match(record, wanted);
        if (rank == 0) continue;
        const std::pair<int, bool> ranked{rank, record.status == "unusable"};
        if (ranked >= bestRank) continue;
        best = &record;
        bestRank = ranked;
    }
    if (!best) return std::nullopt;
    return *best;
}

}  // namespace sg
