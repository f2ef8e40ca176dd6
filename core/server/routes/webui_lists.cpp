#include "core/server/routes/route_context.h"

#include "core/models/model_library.h"
#include "core/params/param_table.h"
#include "core/params/samplers.h"
#include "core/server/style_file.h"
#include "core/server/webui_options.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

namespace sg::server {
namespace {

using http::HttpRequest;
using http::Reply;

Json samplersJson()
{
    Json list = Json::array();
    for (const SamplerSpec &sampler : samplers()) {
        Json options = Json::object();
        if (!sampler.defaultSchedule.empty()) options["scheduler"] = sampler.defaultSchedule;
        // A1111's values here are texts, and only what is true is listed.
        for (const auto &[key, set] : {std::pair("second_order", sampler.secondOrder),
                                       {"brownian_noise", sampler.brownianNoise},
                                       {"uses_ensd", sampler.usesSeedDelta},
                                       {"discard_next_to_last_sigma", sampler.discardNextToLast}})
            if (set) options[key] = "True";
        if (sampler.name == "DPM++ 2M SDE Heun") options["solver_type"] = "heun";
        list.push_back({{"name", sampler.name}, {"aliases", sampler.aliases}, {"options", options}});
    }
    return list;
}

Json schedulersJson()
{
    Json list = Json::array();
    for (const ScheduleSpec &schedule : schedules())
        list.push_back({{"name", schedule.name},
                        {"label", schedule.label},
                        {"aliases", schedule.aliases.empty() ? Json() : Json(schedule.aliases)},
                        {"default_rho", schedule.defaultRho},
                        {"need_inner_model", schedule.needInnerModel}});
    return list;
}

Json checkpointsJson(const ModelLibrary &library)
{
    Json list = Json::array();
    for (const ModelRecord &model : library.models()) {
        if (model.type != "stableDiffusion" || model.status == "unusable" || model.status == "deleted") continue;
        const Json hash = model.sha256.empty() ? Json() : Json(model.shortHash());
        list.push_back({{"title", checkpointTitle(model)},
                        {"model_name", model.name},
                        {"hash", hash},
                        {"sha256", model.sha256.empty() ? Json() : Json(model.sha256)},
                        {"filename", model.path},
                        {"config", nullptr}});
    }
    return list;
}

std::string stem(const ModelRecord &model)
{
    return std::filesystem::path(model.path).stem().string();
}

/// What of the file's own metadata the library keeps.
Json loraMetadata(const ModelRecord &model)
{
    Json metadata = Json::object();
    for (const auto &[key, value] :
         {std::pair("ss_output_name", &model.alias), std::pair("sshs_model_hash", &model.contentHash),
          std::pair("modelspec.title", &model.title), std::pair("modelspec.description", &model.description)})
        if (!value->empty()) metadata[key] = *value;
    return metadata;
}

/// {"loaded": those that a prompt can name, "skipped": those of other families}: which checkpoint runs next is not
/// known here, so all are loaded.
Json embeddingsJson(const ModelLibrary &library)
{
    Json loaded = Json::object();
    for (const ModelRecord &model : library.models()) {
        if (model.type != "embedding" || model.status == "unusable" || model.status == "deleted") continue;
        loaded[stem(model)] = {{"step", nullptr},
                               {"sd_checkpoint", nullptr},
                               {"sd_checkpoint_name", nullptr},
                               {"shape", model.vectorWidth},
                               {"vectors", model.vectors}};
    }
    return {{"loaded", std::move(loaded)}, {"skipped", Json::object()}};
}

Json filesJson(const ModelLibrary &library, std::string_view type)
{
    Json list = Json::array();
    for (const ModelRecord &model : library.models()) {
        if (model.type != type || model.status == "unusable" || model.status == "deleted") continue;
        if (type == "lora")
            list.push_back({{"name", stem(model)},
                            {"alias", model.alias.empty() ? stem(model) : model.alias},
                            {"path", model.path},
                            {"metadata", loraMetadata(model)}});
        else
            list.push_back(
                {{"model_name", std::filesystem::path(model.path).filename().string()}, {"filename", model.path}});
    }
    return list;
}

/// Hires fix's upscalers; those for latents have nothing but a name.
Json upscalersJson(const ParamTable &table, const ModelLibrary &library, bool latent)
{
    Json list = Json::array();
    const ParamSpec *row = table.find("hr_upscaler");
    for (const std::string &name : row ? row->choices : std::vector<std::string>()) {
        if (name.starts_with("Latent") != latent) continue;
        if (latent)
            list.push_back({{"name", name}});
        else
            list.push_back({{"name", name},
                            {"model_name", nullptr},
                            {"model_path", nullptr},
                            {"model_url", nullptr},
                            {"scale", 4}});
    }
    for (const ModelRecord &model : library.models()) {
        if (latent || model.type != "upscaler" || model.status == "unusable" || model.status == "deleted") continue;
        list.push_back({{"name", model.name},
                        {"model_name", nullptr},
                        {"model_path", model.path},
                        {"model_url", nullptr},
                        {"scale", model.scale}});
    }
    return list;
}

/// By their names, as nothing in the files tells them from other upscalers of the same networks: RealESRGAN_x4plus,
/// realesr-general-x4v3, 4x R-ESRGAN …
bool isRealEsrgan(const ModelRecord &model)
{
    std::string name;
    for (const char c : model.name)
        if (c >= 'A' && c <= 'Z')
            name += static_cast<char>(c - 'A' + 'a');
        else if (c >= 'a' && c <= 'z')
            name += c;
    return name.find("realesr") != std::string::npos || name.find("resrgan") != std::string::npos;
}

Json realEsrganJson(const ModelLibrary &library)
{
    Json list = Json::array();
    for (const ModelRecord &model : library.models())
        if (model.type == "upscaler" && model.status != "unusable" && model.status != "deleted" && isRealEsrgan(model))
            list.push_back({{"name", model.name}, {"path", model.path}, {"scale", model.scale}});
    return list;
}

/// Bytes, from /proc/meminfo.
Json memoryJson()
{
    std::map<std::string, std::int64_t> bytes;
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    std::int64_t kilobytes = 0;
    while (file >> name >> kilobytes) {
        bytes[name] = kilobytes * 1024;
        std::getline(file, unit);
    }
    const std::int64_t total = bytes["MemTotal:"];
    const std::int64_t free = bytes["MemAvailable:"];
    return {{"ram", {{"free", free}, {"used", total - free}, {"total", total}}}, {"cuda", {{"error", "unavailable"}}}};
}

}  // namespace

void mountWebuiListRoutes(http::Router &router, const RouteContext &context)
{
    const auto list = [&router](const std::string &name, const std::string &summary, const Json &schema,
                                std::function<Json()> make) {
        router.answer("GET", "/sdapi/v1/" + name, {.summary = summary, .tag = "a1111", .answer = schema},
                      [make = std::move(make)](const HttpRequest &) -> Expected<Reply> { return Reply::json(make()); });
    };
    const Json array = {{"type", "array"}, {"items", {{"type", "object"}}}};
    const Json object = {{"type", "object"}};
    const ModelLibrary &library = context.library;
    list("samplers", "Samplers", array, samplersJson);
    list("schedulers", "Schedules", array, schedulersJson);
    list("sd-models", "Checkpoints", array, [&library] { return checkpointsJson(library); });
    list("sd-vae", "VAE files", array, [&library] {
        Json files = filesJson(library, "sdVae");
        for (Json &tiny : filesJson(library, "taesd"))
            files.push_back(std::move(tiny));
        return files;
    });
    list("loras", "LoRA files", array, [&library] { return filesJson(library, "lora"); });
    list("upscalers", "Upscalers that work on pictures", array,
         [&table = context.table, &library] { return upscalersJson(table, library, false); });
    list("latent-upscale-modes", "Upscalers that work on latents", array,
         [&table = context.table, &library] { return upscalersJson(table, library, true); });
    list("realesrgan-models", "Upscalers that are Real-ESRGAN by their names", array,
         [&library] { return realEsrganJson(library); });
    list("memory", "Memory of the machine", object, memoryJson);
    // What this server cannot do yet, it says by an empty list: clients ask for all of these when they start.
    for (const char *name : {"hypernetworks", "face-restorers", "script-info", "extensions"})
        list(name, "None here yet", array, [] { return Json::array(); });
    list("prompt-styles", "Styles", array, [file = context.stylesFile] {
        Json json = Json::array();
        if (const auto styles = readStyles(file))
            for (const PromptStyle &style : *styles)
                json.push_back(
                    {{"name", style.name}, {"prompt", style.prompt}, {"negative_prompt", style.negativePrompt}});
        return json;
    });
    list("embeddings", "Textual inversion embeddings", object, [&library] { return embeddingsJson(library); });
    list("scripts", "None here yet", object, [] {
        return Json{{"txt2img", Json::array()}, {"img2img", Json::array()}};
    });
    list("cmd-flags", "Nothing that A1111's flags would say", object, [] {
        return Json{{"api", true}, {"nowebui", true}};
    });
    for (const char *name : {"refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings"})
        router.answer("POST", std::string("/sdapi/v1/") + name,
                      {.summary = "Looks at all folders again", .tag = "a1111", .answer = schemaRef("Null")},
                      [context](const HttpRequest &) -> Expected<Reply> {
                          context.library.rescan();
                          return Reply::json(nullptr);
                      });
}

}  // namespace sg::server
