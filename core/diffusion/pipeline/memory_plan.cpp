#include "core/diffusion/pipeline/memory_plan.h"

#include "core/diffusion/upscale/upscaler_bytes.h"
#include "core/diffusion/vae/tile_size.h"
#include "core/modelfile/model_kind.h"
#include "core/text/prompt_plan.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace sg {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
/// What layers, threads and text encoders take beside the tensors that are counted.
constexpr std::uint64_t kOverhead = 64 * kMiB;
/// The same of coding a picture.
constexpr std::uint64_t kCodingBuffers = 96 * kMiB;
/// Units  pixels. Of a side that an upscaler sees at once, where the memory is short.
constexpr std::int64_t kUsualTile = 192, kSmallestUpscalerTile = 48;
/// A smaller weight of a half precision file is converted when it is loaded, so it is no page of the file.
constexpr std::uint64_t kSmallestPaged = 1 << 14;
/// Latents that samplers hold: x, x0, the history of the longest, noise.
constexpr std::uint64_t kLatents = 12;
/// A picture on its way out: the decoder's, its bytes, and those that wait to be encoded.
constexpr std::uint64_t kPictureBytes = 4 * 3 * 2 + 8 * 3;

std::string mib(std::uint64_t bytes)
{
    return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

bool isOfTexts(const std::string &key, const CheckpointConfig &config)
{
    return std::any_of(config.texts.begin(), config.texts.end(),
                       [&](const TextConfig &text) { return key.starts_with(text.prefix); });
}

/// Rows of the network's batch: a picture's parts, the negative prompt where it is asked, and for a model that edits
/// the picture alone.
std::int64_t rowsOf(const std::vector<PlannedModel> &models, const GenerationRequest &request)
{
    std::size_t parts = 1;
    const auto count = [&parts, &request](const std::string &prompt) {
        if (const Expected<PromptPlan> plan = planPrompt(prompt, {.steps = request.steps}))
            parts = std::max(parts, plan->parts.size());
    };
    for (std::int64_t image = 0; image < (request.prompts.empty() ? 1 : request.imageCount()); ++image) {
        count(request.imagePrompts(image).prompt);
        if (request.hires.enabled) count(request.imageHiresPrompts(image).prompt);
    }
    if (request.alternativeNoise.enabled) count(request.alternativeNoise.prompt);
    const bool edits = std::any_of(models.begin(), models.end(), [](const PlannedModel &model) {
        return model.config.imageInput == ImageInput::Edit;
    });
    const bool alone = edits && request.start.used() && request.start.imageScale != 1;
    const bool guided = request.cfgScale != 1 || parts > 1 || alone;
    return request.batchSize * (static_cast<std::int64_t>(parts) + (guided ? 1 : 0) + (alone ? 1 : 0));
}

struct Size {
    std::int64_t width, height;
};

/// The sizes that are drawn, in pixels, each with the network that draws it.
std::vector<std::pair<Size, const CheckpointConfig *>> passes(const std::vector<PlannedModel> &models,
                                                              const GenerationRequest &request)
{
    const CheckpointConfig *const base = &models.front().config;
    std::vector<std::pair<Size, const CheckpointConfig *>> list{{{request.width, request.height}, base}};
    if (request.hires.enabled) list.push_back({{request.hires.size.width, request.hires.size.height}, base});
    for (std::size_t i = 1; i < models.size(); ++i)
        list.push_back({list.back().first, &models[i].config});
    return list;
}

std::uint64_t activationsOf(const std::vector<PlannedModel> &models, const GenerationRequest &request,
                            std::int64_t rows, int numberBytes)
{
    std::uint64_t most = 0;
    for (const auto &[size, config] : passes(models, request))
        most = std::max(most, config->unet.forwardBytes(rows, size.height / config->latentFactor,
                                                        size.width / config->latentFactor, numberBytes));
    return most + kOverhead;
}

/// `largest`: latent pixels of a tile's side that are never exceeded; `chosen`: nor is the size that the request wants.
std::uint64_t codingOf(const std::vector<PlannedModel> &models, const GenerationRequest &request, std::int64_t largest,
                       bool chosen)
{
    const bool encodes = request.start.used() || request.hires.enabled;
    std::uint64_t most = 0;
    for (const auto &[size, config] : passes(models, request)) {
        const std::int64_t wanted = std::max(request.coding.tileSize / config->latentFactor, coding::kSmallestTile);
        const std::int64_t side = chosen ? std::min(wanted, largest) : largest;
        const std::int64_t height = std::min(size.height / config->latentFactor, side);
        const std::int64_t width = std::min(size.width / config->latentFactor, side);
        most = std::max(most, config->vae.decodeBytes(height, width));
        if (encodes) most = std::max(most, config->vae.encodeBytes(height, width));
    }
    return most + kCodingBuffers;
}

std::uint64_t picturesOf(const std::vector<PlannedModel> &models, const GenerationRequest &request)
{
    std::uint64_t sum = 0;
    for (const Image &picture : request.start.pictures)
        sum += 4 * picture.pixels.size();
    for (const auto &[size, config] : passes(models, request)) {
        const auto pixels = static_cast<std::uint64_t>(size.width * size.height);
        const auto latent = pixels / static_cast<std::uint64_t>(config->latentFactor * config->latentFactor) *
                            static_cast<std::uint64_t>(config->latentChannels) * 4;
        sum = std::max(sum, kPictureBytes * pixels + static_cast<std::uint64_t>(request.batchSize) * kLatents * latent);
    }
    return sum;
}

/// The largest picture before and after it went through the network, and what it is pasted from.
std::uint64_t enlargedBytes(const PlannedUpscaler &upscaler)
{
    const std::int64_t side = upscaler.config.scale;
    return static_cast<std::uint64_t>(upscaler.width * upscaler.height * 3 * (2 * side * side + 1));
}

std::uint64_t enlargingOf(const PlannedUpscaler &upscaler, std::int64_t tile)
{
    return upscalerBytes(upscaler.config, tile == 0 ? upscaler.height : tile, tile == 0 ? upscaler.width : tile) +
           enlargedBytes(upscaler) + kCodingBuffers;
}

/// Whole pictures become tiles, and tiles halves of themselves.
std::int64_t smallerTile(std::int64_t tile)
{
    return tile == 0 ? kUsualTile : std::max(kSmallestUpscalerTile, tile / 2);
}

PlannedPart weightOf(const TensorInfo &info, bool vae, bool onCpu)
{
    const std::uint64_t single = static_cast<std::uint64_t>(info.elements()) * sizeof(float);
    if (!onCpu) return {vae ? single : single / 2, 0};  // the autoencoder stays in single precision there
    const bool half = info.dtype == DType::F16 || info.dtype == DType::BF16;
    const bool stays = info.isPlain() &&
                       ((half && info.shape.size() >= 2 && info.bytes >= kSmallestPaged) || info.dtype == DType::F32);
    return stays ? PlannedPart{info.bytes, info.bytes} : PlannedPart{single, 0};
}

/// A run that is planned.
struct PlannedRun {
    const std::vector<PlannedModel> &models;
    const GenerationRequest &request;
    const PlanPlace &place;
    const std::optional<PlannedUpscaler> &upscaler;
};

/// The most that own weights and what computes with them take together, when of text encoders and UNets only the one
/// that computes is here.
std::uint64_t peakOf(const PlannedRun &run, const MemoryPlan &plan)
{
    std::uint64_t stays = plan.pictures + (run.upscaler ? run.upscaler->weights : 0);
    std::uint64_t most = std::max(plan.vae, plan.upscaler);
    for (const PlannedModel &model : run.models) {
        const std::uint64_t texts = model.texts.own(), unet = model.unet.own(), both = texts + unet + model.merged;
        stays += model.weights - model.paged - texts - unet;
        most = std::max(most, (model.adapted ? both : texts) + kOverhead);
        most = std::max(most, (model.adapted ? both : unet) + plan.activations);
    }
    return stays + most;
}

/// Whether there is room for one of the parts that are never there together.
bool partFits(MemoryPlan plan, const PlannedRun &run, std::uint64_t MemoryPlan::*part)
{
    for (const auto other : {&MemoryPlan::activations, &MemoryPlan::vae, &MemoryPlan::upscaler})
        if (other != part) plan.*other = 0;
    plan.peak = peakOf(run, plan);
    return plan.needed() <= plan.available;
}

/// Fewer rows together until the network fits or is left with one, and, where tiles may become smaller, such of the
/// upscaler.
void fit(MemoryPlan &plan, const PlannedRun &run, bool smallerTiles)
{
    plan.rows = plan.allRows;
    for (;; plan.rows = (plan.rows + 1) / 2) {
        plan.activations = activationsOf(run.models, run.request, plan.rows, run.place.numberBytes());
        if (plan.rows == 1 || partFits(plan, run, &MemoryPlan::activations)) break;
    }
    if (run.upscaler) {
        plan.upscalerTile = run.upscaler->tile;
        for (;; plan.upscalerTile = smallerTile(plan.upscalerTile)) {
            plan.upscaler = enlargingOf(*run.upscaler, plan.upscalerTile);
            const bool least = plan.upscalerTile > 0 && plan.upscalerTile <= kSmallestUpscalerTile;
            if (!smallerTiles || least || partFits(plan, run, &MemoryPlan::upscaler)) break;
        }
    }
    plan.peak = peakOf(run, plan);
    plan.fits = plan.needed() <= plan.available;
}

}  // namespace

std::string MemoryPlan::text() const
{
    const std::string whose = offload ? " for weights, of which only those that compute stay, " : " for weights, ";
    std::string text = "the run needs " + mib(needed()) + " (" + mib(weights - paged - held) + whose +
                       mib(activations) + " for the network, " + mib(vae) + " for the VAE" +
                       (upscaler > 0 ? ", " + mib(upscaler) + " for the upscaler" : "") + ", the " +
                       (upscaler > 0 ? "largest of the three" : "larger of the two") + " counts)";
    return text + "; " + mib(available) + " are free";
}

PlannedModel plannedModel(const TensorIndex &index, CheckpointConfig config, bool onCpu)
{
    PlannedModel made;
    for (const auto &[key, info] : index.tensors()) {
        const bool vae = key.starts_with(config.vaePrefix), unet = key.starts_with(config.unetPrefix);
        const bool text = !vae && !unet && isOfTexts(key, config);
        if (!vae && !unet && !text) continue;
        PlannedPart *const part = unet ? &made.unet : text ? &made.texts : nullptr;
        const auto add = [&](std::uint64_t bytes, bool paged) {
            made.weights += bytes;
            if (paged) made.paged += bytes;
            if (part) part->weights += bytes;
            if (part && paged) part->paged += bytes;
        };
        const PlannedPart weight = weightOf(info, vae, onCpu);
        add(weight.weights, weight.paged > 0);
    }
    made.config = std::move(config);
    return made;
}

PlannedVae plannedVae(const TensorIndex &index, bool onCpu)
{
    PlannedVae made;
    std::string prefix;
    if (describeModel(index).kind != ModelKind::Taesd) {
        prefix = vaePrefixIn(index);
        made.config = VaeConfig::detect(index, prefix);
    }
    for (const auto &[key, info] : index.tensors()) {
        if (!key.starts_with(prefix)) continue;
        const PlannedPart weight = weightOf(info, true, onCpu);
        made.weights.weights += weight.weights;
        made.weights.paged += weight.paged;
    }
    return made;
}

PlannedModel withVae(PlannedModel model, const PlannedVae &vae, std::uint64_t held)
{
    model.weights += vae.weights.weights;
    model.paged += vae.weights.paged;
    model.held += std::min(held, vae.weights.own());
    if (vae.config) model.config.vae = *vae.config;
    return model;
}

MemoryPlan planRun(const std::vector<PlannedModel> &models, const GenerationRequest &request, const PlanPlace &place,
                   const std::optional<PlannedUpscaler> &upscaler)
{
    MemoryPlan plan;
    for (const PlannedModel &model : models) {
        const std::uint64_t own = model.weights - model.paged;
        plan.weights += model.weights + model.merged;
        plan.paged += model.paged;
        plan.held += std::min(model.held, own + model.merged);
        plan.merged += std::min(model.merged, own + model.merged - std::min(model.held, own + model.merged));
    }
    if (upscaler) plan.weights += upscaler->weights;
    plan.available = place.available;
    plan.pictures = picturesOf(models, request);
    plan.allRows = rowsOf(models, request);
    const std::string &tiling = request.coding.tiling;
    const std::uint64_t whole = codingOf(models, request, INT64_MAX, false);
    const std::uint64_t chosen = tiling == "On" ? codingOf(models, request, INT64_MAX, true) : whole;
    // Somebody who wants no tiles gets none; else they become as small as they must.
    const std::uint64_t least =
        tiling == "Off" ? chosen : std::min(chosen, codingOf(models, request, coding::kSmallestTile, true));
    const bool canGo = std::any_of(models.begin(), models.end(),
                                   [](const PlannedModel &model) { return model.texts.own() + model.unet.own() > 0; });
    const PlannedRun run{models, request, place, upscaler};
    // What leaves the pixels as they are comes first.
    for (const std::uint64_t vae : {chosen, least})
        for (const bool smallerTiles : {false, true})
            for (const bool offload : {false, true}) {
                if ((offload && !canGo) || (smallerTiles && !upscaler)) continue;
                plan.vae = vae;
                plan.tiled = vae < whole;
                plan.offload = offload;
                fit(plan, run, smallerTiles);
                if (plan.fits) return plan;
            }
    return plan;
}

}  // namespace sg
