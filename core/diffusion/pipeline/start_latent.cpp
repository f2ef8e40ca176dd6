#include "core/diffusion/pipeline/start_latent.h"

#include "core/diffusion/vae/fitting.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/_upsample_nearest_exact2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sg {
namespace {

/// 0..1, [1, 1, h, w].
torch::Tensor toMask(const Image &grey)
{
    const torch::Tensor bytes =
        torch::from_blob(const_cast<std::uint8_t *>(grey.pixels.data()), {1, 1, grey.height, grey.width}, torch::kByte);
    return bytes.to(torch::kFloat) / 255;
}

/// How an inpainting network is shown the mask, and what lies below it.
struct MaskReading {
    bool round = true;
    double weight = 1;
};

MaskReading readingOf(const Checkpoint &checkpoint, const StartPictures &start)
{
    // As A1111: half a mask is shown to Stable Diffusion 1 and 2 only.
    const bool half = !start.maskRound || start.soft.enabled;
    return {checkpoint.config.family == BaseFamily::Sdxl || !half, start.maskWeight};
}

/// Mask and masked picture's latent, for a network that was trained on both. Without a mask all is masked.
/// Source  Rombach et al. 2022, the inpainting model; A1111's conditioning mask weight.
torch::Tensor inpaintConcat(Checkpoint &checkpoint, const PreparedStart &prepared, const MaskReading &reading,
                            std::int64_t width, std::int64_t height)
{
    if (prepared.pictures.empty() || (prepared.mask.empty() && reading.weight == 1)) {
        const std::int64_t factor = checkpoint.config.latentFactor;
        const torch::Tensor grey = torch::zeros({1, 3, height * factor, width * factor});
        const torch::Tensor latent = coding::encode(*checkpoint.vae, grey.to(checkpoint.device)).to(torch::kFloat);
        return torch::cat({torch::ones({1, 1, height, width}, latent.options()), latent}, 1);
    }
    torch::Tensor mask = prepared.mask.empty() ? torch::ones({1, 1, 1, 1}) : toMask(prepared.mask);
    if (reading.round) mask = mask.round();
    std::vector<torch::Tensor> masked;
    for (const Image &picture : prepared.pictures) {
        const torch::Tensor whole = toPicture(picture);
        const torch::Tensor kept = whole.lerp(whole * (1 - mask), reading.weight);
        masked.push_back(coding::encode(*checkpoint.vae, kept.to(checkpoint.device)).to(torch::kFloat));
    }
    torch::Tensor kept = torch::cat(masked);
    if (kept.size(2) != height || kept.size(3) != width) kept = resizeLatent(kept, "Latent", width, height);
    const torch::Tensor small = at::upsample_nearest2d(mask, {height, width}).to(kept.device());
    return torch::cat({small.expand({kept.size(0), 1, height, width}), kept}, 1);
}

/// What the network reads beside latents of this size; undefined where it reads nothing. `latent`: of the start
/// pictures, undefined without any.
torch::Tensor concatFor(Checkpoint &checkpoint, const PreparedStart &prepared, const MaskReading &reading,
                        const torch::Tensor &latent, std::int64_t width, std::int64_t height)
{
    const CheckpointConfig &config = checkpoint.config;
    switch (config.imageInput) {
    case ImageInput::None:
        return {};
    case ImageInput::Inpaint:
        return inpaintConcat(checkpoint, prepared, reading, width, height);
    case ImageInput::Edit:
        // Trained on latents that were not scaled.
        if (latent.defined()) return latent / config.latentScale;
        return torch::zeros({1, config.latentChannels, height, width}, torch::device(checkpoint.device));
    }
    return {};
}

}  // namespace

torch::Tensor toPicture(const Image &rgb)
{
    const torch::Tensor bytes =
        torch::from_blob(const_cast<std::uint8_t *>(rgb.pixels.data()), {1, rgb.height, rgb.width, 3}, torch::kByte);
    return bytes.permute({0, 3, 1, 2}).to(torch::kFloat) / 255 * 2 - 1;
}

void requireNotStopped(const std::stop_token &stop)
{
    if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
}

torch::Tensor encodePictures(Checkpoint &checkpoint, const std::vector<Image> &pictures, const std::stop_token &stop)
{
    const std::int64_t factor = checkpoint.config.latentFactor;
    std::vector<torch::Tensor> latents;
    for (const Image &picture : pictures) {
        requireNotStopped(stop);
        if (picture.width < factor || picture.height < factor)
            throw Failure{{ErrorCode::InvalidArgument,
                           "a start picture of " + std::to_string(picture.width) + " x " +
                               std::to_string(picture.height) + " is smaller than " + std::to_string(factor) +
                               " pixels, which are one of the latent's",
                           "init_images"}};
        latents.push_back(coding::encode(*checkpoint.vae, toPicture(picture).to(checkpoint.device)).to(torch::kFloat));
    }
    torch::Tensor all = torch::cat(latents);
    if (all.isfinite().all().item<bool>()) return all;
    throw Failure{{ErrorCode::NonFinite, "the autoencoder made values of the start picture that are not numbers", {}}};
}

StartLatent makeStart(Checkpoint &checkpoint, const PreparedStart &prepared, const GenerationRequest &request,
                      const std::stop_token &stop)
{
    const std::int64_t factor = checkpoint.config.latentFactor;
    StartLatent start;
    start.latent = encodePictures(checkpoint, prepared.pictures, stop);
    if (prepared.stretchLatents)
        start.latent = resizeLatent(start.latent, "Latent", request.width / factor, request.height / factor);
    if (!prepared.latentMask.empty()) {
        start.redraw = toMask(prepared.latentMask).to(checkpoint.device);
        // As the reference rounds: half to even.
        if (request.start.maskRound && !request.start.soft.enabled) start.redraw = start.redraw.round();
    }
    start.concat = concatFor(checkpoint, prepared, readingOf(checkpoint, request.start), start.latent,
                             start.latent.size(3), start.latent.size(2));
    if (start.latent.size(0) == 1 && request.batchSize > 1)
        start.latent = start.latent.expand({request.batchSize, -1, -1, -1});
    return start;
}

torch::Tensor withMaskedContent(const StartLatent &start, MaskedContent content, const torch::Tensor &noise)
{
    if (!start.redraw.defined()) return start.latent;
    const torch::Tensor kept = start.latent * (1 - start.redraw);
    if (content == MaskedContent::LatentNoise) return kept + noise * start.redraw;
    if (content == MaskedContent::LatentNothing) return kept;
    return start.latent;
}

torch::Tensor emptyConcat(Checkpoint &checkpoint, std::int64_t width, std::int64_t height)
{
    return concatFor(checkpoint, {}, {}, {}, width, height);
}

bool isLatentUpscaler(const std::string &name)
{
    constexpr std::array<std::string_view, 6> kModes{"Latent",           "Latent (antialiased)",
                                                     "Latent (bicubic)", "Latent (bicubic antialiased)",
                                                     "Latent (nearest)", "Latent (nearest-exact)"};
    return std::find(kModes.begin(), kModes.end(), name) != kModes.end();
}

torch::Tensor resizeLatent(const torch::Tensor &latent, const std::string &mode, std::int64_t width,
                           std::int64_t height)
{
    const std::vector<std::int64_t> size{height, width};
    if (mode == "Latent") return at::upsample_bilinear2d(latent, size, false);
    if (mode == "Latent (antialiased)") return at::_upsample_bilinear2d_aa(latent, size, false);
    if (mode == "Latent (bicubic)") return at::upsample_bicubic2d(latent, size, false);
    if (mode == "Latent (bicubic antialiased)") return at::_upsample_bicubic2d_aa(latent, size, false);
    if (mode == "Latent (nearest)") return at::upsample_nearest2d(latent, size);
    if (mode == "Latent (nearest-exact)") return at::_upsample_nearest_exact2d(latent, size);
    throw Failure{{ErrorCode::InvalidArgument, "unknown latent upscaler \"" + mode + "\"", "hr_upscaler"}};
}

}  // namespace sg
