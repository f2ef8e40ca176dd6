#include "core/server/strict_names.h"

#include "core/models/model_library.h"
#include "core/text/extra_networks.h"
#include "core/text/prompt_template.h"

#include <algorithm>
#include <filesystem>

namespace sg::server {
namespace {

Expected<void> requireVae(const std::string &name, const ModelLibrary &library)
{
    if (name.empty() || name == "Automatic" || name == "None") return {};
    if (library.find(name, "sdVae") || library.find(name, "taesd")) return {};
    return fail(ErrorCode::NotFound, "there is no VAE named \"" + name.substr(0, 80) + "\"", "sd_vae");
}

/// As tags name LoRAs: the file's own name, that below its folder, or what its training called it.
bool isLora(const std::string &name, const std::vector<ModelRecord> &models)
{
    return std::any_of(models.begin(), models.end(), [&](const ModelRecord &record) {
        if (record.type != "lora" || record.status == "unusable" || record.status == "deleted") return false;
        return record.name == name || record.alias == name ||
               std::filesystem::path(record.path).stem().string() == name;
    });
}

Expected<void> requireLoras(const ParamValues &values, const char *key, const std::vector<ModelRecord> &models)
{
    const ParamValue *held = values.find(key);
    const auto *prompt = held ? std::get_if<std::string>(held) : nullptr;
    if (!prompt) return {};
    const std::string text = stripComments(*prompt);
    if (hasVariants(text)) return {};
    const Expected<std::vector<LoraTag>> tags = loraTags(takeExtraNetworks(text).networks);
    if (!tags) return fail(tags.error().code, tags.error().message, key);
    for (const LoraTag &tag : *tags)
        if (!isLora(tag.name, models))
            return fail(ErrorCode::NotFound,
                        std::string(key) + ": there is no LoRA named \"" + tag.name.substr(0, 80) + "\"", key);
    return {};
}

}  // namespace

Expected<void> requireNamedFiles(const ParamValues &values, const ModelLibrary &library)
{
    if (Expected<void> vae = requireVae(values.get<std::string>("sd_vae"), library); !vae) return vae;
    if (const ParamValue *off = values.find("disable_extra_networks"); off && asksForSomething(*off)) return {};
    const std::vector<ModelRecord> models = library.models();
    if (Expected<void> first = requireLoras(values, "prompt", models); !first) return first;
    const ParamValue *hires = values.find("enable_hr");
    return hires && asksForSomething(*hires) ? requireLoras(values, "hr_prompt", models) : Expected<void>();
}

}  // namespace sg::server
