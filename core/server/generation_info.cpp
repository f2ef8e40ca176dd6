#include "core/server/generation_info.h"

#include "core/base/version.h"
#include "core/models/model_library.h"
#include "core/picture/infotext.h"
#include "core/text/prompt_template.h"

#include <QDateTime>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sg::server {
namespace {

std::string jobTimestamp(std::int64_t milliseconds)
{
    return QDateTime::fromMSecsSinceEpoch(milliseconds).toString(QStringLiteral("yyyyMMddHHmmss")).toStdString();
}

/// The numbers that were really used, one a picture; what the request resolved to where no picture came.
Json perImage(const std::vector<std::int64_t> &used, const Json &resolved)
{
    return used.empty() ? Json::array({resolved}) : Json(used);
}

/// The prompts of all pictures: the task's, or, where the seed decides something in them, those of the infotexts.
std::pair<Json, Json> promptsOf(const TaskRecord &task, std::size_t images)
{
    const std::string prompt = task.params.value("prompt", std::string());
    const std::string negative = task.params.value("negative_prompt", std::string());
    Json prompts = Json(std::vector<Json>(images, prompt)), negatives = Json(std::vector<Json>(images, negative));
    if (!hasVariants(prompt) && !hasVariants(negative)) return {prompts, negatives};
    for (std::size_t i = 0; i < task.infotexts.size(); ++i)
        if (const Expected<ParsedInfotext> parsed = parseInfotext(task.infotexts[i])) {
            prompts[i] = parsed->prompt;
            negatives[i] = parsed->negativePrompt;
        }
    return {prompts, negatives};
}

/// What A1111 adds to the keys that every picture has: numbers and flags as such, the rest as the infotext says it.
Json extraParams(const ParsedInfotext &said)
{
    Json extra = Json::object();
    for (const auto &[key, text] : said.pairs) {
        if (isFixedInfotextKey(key) || key == "Version") continue;
        const auto named = [&name = key](const ParamSpec &spec) { return spec.infotextKey == name; };
        const std::vector<ParamSpec> &rows = ParamTable::standard().specs();
        const auto row = std::find_if(rows.begin(), rows.end(), named);
        const bool asValue = row != rows.end() && row->infotextValues.empty() && said.params.contains(row->key);
        extra[key] = asValue ? said.params[row->key] : Json(text);
    }
    return extra;
}

bool usesStrength(const Json &params)
{
    const auto pictures = params.find("init_images");
    const auto hires = params.find("enable_hr");
    return (pictures != params.end() && !pictures->empty()) || (hires != params.end() && *hires == true);
}

}  // namespace

Json generationInfo(const TaskRecord &task, const ModelLibrary &library)
{
    const auto param = [&](const char *key) { return task.params.value(key, Json()); };
    const std::size_t images = std::max<std::size_t>(task.infotexts.size(), 1);
    const Json seeds = perImage(task.seeds, param("seed"));
    const Json subseeds = perImage(task.subseeds, param("subseed"));
    const auto model = library.find(task.model, "stableDiffusion");
    Json info = Json::object();
    const auto [prompts, negatives] = promptsOf(task, images);
    info["prompt"] = prompts.front();
    info["all_prompts"] = prompts;
    info["negative_prompt"] = negatives.front();
    info["all_negative_prompts"] = negatives;
    info["seed"] = seeds.front();
    info["all_seeds"] = seeds;
    info["subseed"] = subseeds.front();
    info["all_subseeds"] = subseeds;
    for (const char *key : {"subseed_strength", "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size"})
        info[key] = param(key);
    info["restore_faces"] = false;
    info["face_restoration_model"] = nullptr;
    info["sd_model_name"] = task.model;
    info["sd_model_hash"] = model ? model->shortHash() : std::string();
    // What only the engine knew stands in the infotext.
    const auto said = parseInfotext(task.infotexts.empty() ? std::string() : task.infotexts.front());
    const auto fact = [&](std::string_view key) {
        const std::string_view value = said ? said->value(key) : std::string_view();
        return value.empty() ? Json() : Json(value);
    };
    info["sd_vae_name"] = fact("VAE");
    info["sd_vae_hash"] = fact("VAE hash");
    for (const char *key : {"seed_resize_from_w", "seed_resize_from_h"})
        info[key] = task.params.value(key, Json(-1));
    const Json none;
    info["denoising_strength"] = usesStrength(task.params) ? param("denoising_strength") : none;
    info["extra_generation_params"] = said ? extraParams(*said) : Json::object();
    if (const Json schedule = param("scheduler"); !schedule.is_null())
        info["extra_generation_params"]["Schedule type"] = schedule;
    info["index_of_first_image"] = 0;
    info["infotexts"] = task.infotexts;
    info["styles"] = Json::array();
    info["job_timestamp"] = jobTimestamp(task.startedMs > 0 ? task.startedMs : task.createdMs);
    info["clip_skip"] = param("clip_skip");
    info["is_using_inpainting_conditioning"] = false;
    info["version"] = "Serigraph " + std::string(version());
    return info;
}

}  // namespace sg::server
