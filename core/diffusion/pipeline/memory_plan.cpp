#include "core/diffusion/pipeline/memory_plan.h"

#include "core/diffusion/upscale/upscaler.h"
#include "core/diffusion/vae/fitting.h"
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

bool startsWithAny(const std::string &key, const CheckpointConfig &config)
{
    if (key.starts_with(config.unetPrefix) || key.starts_with(config.vaePrefix)) return true;
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

}  // namespace

std::string MemoryPlan::text() const
{
    std::string text = "the run needs " + mib(needed()) + " (" + mib(weights - paged - held) + " for weights, " +
                       mib(activations) + " for the network, " + mib(vae) + " for the VAE" +
                       (upscaler > 0 ? ", " + mib(upscaler) + " for the upscaler" : "") + ", the " +
                       (upscaler > 0 ? "largest of the three" : "larger of the two") + " counts)";
    return text + "; " + mib(available) + " are free";
}

PlannedModel plannedModel(const TensorIndex &index, CheckpointConfig config, bool onCpu)
{
    PlannedModel made;
    for (const auto &[key, info] : index.tensors()) {
        if (!startsWithAny(key, config)) continue;
        const bool vae = key.starts_with(config.vaePrefix);
        const std::uint64_t single = static_cast<std::uint64_t>(info.elements()) * sizeof(float);
        if (!onCpu) {
            made.weights += vae ? single : single / 2;  // the autoencoder stays in single precision there
            continue;
        }
        const bool half = info.dtype == DType::F16 || info.dtype == DType::BF16;
        const bool stays = info.isPlain() && ((half && info.shape.size() >= 2 && info.bytes >= kSmallestPaged) ||
                                              info.dtype == DType::F32);
        made.weights += stays ? info.bytes : single;
        if (stays) made.paged += info.bytes;
    }
    made.config = std::move(config);
    return made;
}

MemoryPlan planRun(const std::vector<PlannedModel> &models, const GenerationRequest &request, const PlanPlace &place,
                   const std::optional<PlannedUpscaler> &upscaler)
{
    MemoryPlan plan;
    for (const PlannedModel &model : models) {
        plan.weights += model.weights;
        plan.paged += model.paged;
        plan.held += std::min(model.held, model.weights - model.paged);
    }
    if (upscaler) {
        plan.weights += upscaler->weights;
        plan.upscalerTile = upscaler->tile;
        plan.upscaler = enlargingOf(*upscaler, upscaler->tile);
    }
    plan.available = place.available;
    plan.pictures = picturesOf(models, request);
    plan.allRows = plan.rows = rowsOf(models, request);
    plan.activations = activationsOf(models, request, plan.rows, place.numberBytes());
    const std::string &tiling = request.coding.tiling;
    const std::uint64_t whole = codingOf(models, request, INT64_MAX, false);
    plan.vae = tiling == "On" ? codingOf(models, request, INT64_MAX, true) : whole;
    plan.tiled = plan.vae < whole;
    const auto tooMuch = [&](std::uint64_t part) {
        return plan.weights - plan.paged - plan.held + plan.pictures + part > plan.available;
    };
    while (tooMuch(plan.activations) && plan.rows > 1) {
        plan.rows = (plan.rows + 1) / 2;
        plan.activations = activationsOf(models, request, plan.rows, place.numberBytes());
    }
    // Somebody who wants no tiles gets none; else they become as small as they must.
    if (tooMuch(plan.vae) && tiling != "Off") {
        plan.vae = std::min(plan.vae, codingOf(models, request, coding::kSmallestTile, true));
        plan.tiled = plan.vae < whole;
    }
    while (upscaler && tooMuch(plan.upscaler) &&
           (plan.upscalerTile == 0 || plan.upscalerTile > kSmallestUpscalerTile)) {
        plan.upscalerTile = smallerTile(plan.upscalerTile);
        plan.upscaler = enlargingOf(*upscaler, plan.upscalerTile);
    }
    plan.fits = !tooMuch(std::max({plan.activations, plan.vae, plan.upscaler}));
    return plan;
}

}  // namespace sg
