#include "core/models/model_companions.h"

#include "core/base/utf8.h"
#include "core/models/model_list.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kMostFiles = 2000;

std::string stemOf(const ModelRecord &record)
{
    return std::filesystem::path(record.path).stem().string();
}

Json fileJson(const std::string &name, const ModelRecord &record)
{
    Json json{{"name", name}, {"path", record.path}};
    // A1111 names a LoRA by what its tensors hash to; without it, by the file's hash.
    const std::string &hash = record.contentHash.empty() ? record.sha256 : record.contentHash;
    if (!hash.empty()) json["hash"] = hash;
    return json;
}

bool usable(const ModelRecord &record, std::string_view type)
{
    return record.type == type && record.status != "unusable" && record.status != "deleted";
}

// Names of one kind that stand in the text; a name that two files share is the first one's. A file's own name counts
// before the others.
Json mentioned(const std::vector<ModelRecord> &models, std::string_view type, const std::string &text)
{
    const bool all = text.find("__") != std::string::npos;
    Json found = Json::array();
    std::set<std::string> taken;
    const auto consider = [&](const std::string &name, const ModelRecord &record) {
        if (name.empty() || found.size() >= kMostFiles || (!all && text.find(lowerAscii(name)) == std::string::npos))
            return;
        if (taken.insert(name).second) found.push_back(fileJson(name, record));
    };
    for (const ModelRecord &record : models)
        if (usable(record, type)) consider(stemOf(record), record);
    for (const ModelRecord &record : models)
        if (usable(record, type)) consider(record.name, record);
    for (const ModelRecord &record : models)
        if (usable(record, type)) consider(record.alias, record);
    return found;
}

std::optional<ModelRecord> vaeNamed(const std::vector<ModelRecord> &models, const std::string &name)
{
    const std::optional<ModelRecord> found = findModel(models, name, "sdVae");
    return found ? found : findModel(models, name, "taesd");
}

std::optional<ModelRecord> vaeBeside(const std::vector<ModelRecord> &models, const ModelRecord &checkpoint)
{
    const std::filesystem::path path(checkpoint.path);
    const std::string wanted = (path.parent_path() / path.stem()).string() + ".vae";
    for (const ModelRecord &record : models) {
        const std::filesystem::path other(record.path);
        if (usable(record, "sdVae") && (other.parent_path() / other.stem()).string() == wanted) return record;
    }
    return std::nullopt;
}

}  // namespace

Json modelCompanions(const std::vector<ModelRecord> &models, const ModelRecord &checkpoint, const CompanionQuery &query)
{
    std::string text;
    for (const std::string &one : query.texts)
        text += lowerAscii(one) + "\n";
    Json json = Json::object();
    for (const auto &[key, type] : {std::pair("loras", "lora"), std::pair("embeddings", "embedding")})
        if (Json found = mentioned(models, type, text); !found.empty()) json[key] = std::move(found);
    if (query.taesd) {
        Json found = Json::array();
        for (const ModelRecord &record : models)
            if (usable(record, "taesd")) found.push_back(fileJson(record.name, record));
        if (!found.empty()) json["taesd"] = std::move(found);
    }
    if (const auto upscaler = findModel(models, query.upscaler, "upscaler"); upscaler && usable(*upscaler, "upscaler"))
        json["upscaler"] = fileJson(upscaler->name, *upscaler);
    if (query.vae == "None") return json;
    if (const auto vae = query.namesVae() ? vaeNamed(models, query.vae) : vaeBeside(models, checkpoint))
        json["vae"] = fileJson(std::filesystem::path(vae->path).filename().string(), *vae);
    return json;
}

}  // namespace sg
