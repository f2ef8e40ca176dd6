#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/prepared_start.h"
#include "core/params/generation_request.h"

#include <torch/types.h>

#include <stop_token>
#include <string>
#include <vector>

namespace sg {

/// The latents that a pass begins with, before noise is laid on.
/// Shapes  latent [B, C, h, w]; redraw [1, 1, h, w], 1 where it is drawn anew and 0 where the latent stays, undefined
///         without a mask; concat [B or 1, C', h, w]: what an inpainting or edit network reads beside them, or
///         undefined.
struct StartLatent {
    torch::Tensor latent;
    torch::Tensor redraw;
    torch::Tensor concat;
};

/// Errors  throws Failure Cancelled when a stop was asked for.
void requireNotStopped(const std::stop_token &stop);

/// A picture as the autoencoder reads it. Shapes  [1, 3, H, W], -1..1, float32 on the CPU.
torch::Tensor toPicture(const Image &rgb);

/// The latent of each picture: the posterior's mean (docs/decisions/encode-the-mean.md). One picture after the other.
/// Shapes  [pictures, C, h, w], float32 on the checkpoint's device.
torch::Tensor encodePictures(Checkpoint &checkpoint, const std::vector<Image> &pictures,
                             const std::stop_token &stop = {});

/// Encodes, stretches, and reads the mask: all that does not change from batch to batch.
/// Errors  throws Failure NonFinite; InvalidArgument for a picture that is too small to be a latent; Cancelled.
StartLatent makeStart(Checkpoint &checkpoint, const PreparedStart &prepared, const GenerationRequest &request,
                      const std::stop_token &stop = {});

/// The masked part filled with noise or with nothing, as the request's masked content says. Shapes  noise [B, C, h, w].
torch::Tensor withMaskedContent(const StartLatent &start, MaskedContent content, const torch::Tensor &noise);

/// What an inpainting or edit network reads when there is no picture (text-to-image, hires fix): all masked, nothing.
/// Undefined for other networks. Units  latent pixels.
torch::Tensor emptyConcat(Checkpoint &checkpoint, std::int64_t width, std::int64_t height);

/// A latent at another size. `mode` is a name of A1111's latent upscalers: "Latent", "Latent (bicubic antialiased)", …
/// Errors  throws Failure InvalidArgument for an unknown name.
torch::Tensor resizeLatent(const torch::Tensor &latent, const std::string &mode, std::int64_t width,
                           std::int64_t height);
bool isLatentUpscaler(const std::string &name);

}  // namespace sg
