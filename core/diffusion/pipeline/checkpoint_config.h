#pragma once

#include "core/diffusion/clip/clip_text_model.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/unet/unet_config.h"
#include "core/diffusion/vae/vae_config.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/tensor_index.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// Everything that is known of a checkpoint before its weights are read: from shapes, else from the file's metadata,
/// else from the table of families.
struct CheckpointConfig {
    BaseFamily family = BaseFamily::Sd1;
    ClipTextConfig text;
    UNetConfig unet;
    VaeConfig vae;
    std::string textPrefix, unetPrefix, vaePrefix;
    sampling::Prediction prediction = sampling::Prediction::Eps;
    double latentScale = 0;  ///< samplers' latents = autoencoder's latents * latentScale
    std::int64_t latentChannels = 4;
    std::int64_t latentFactor = 8;  ///< pixels per latent pixel
    std::int64_t contextDim = 0;
    std::int64_t tokens = 77;          ///< length of a row of tokens, with both ends
    std::vector<float> alphasCumprod;  ///< empty: Stable Diffusion's own
    /// Samplers' latents to RGB in -1..1: a row for each channel, and perhaps one to add.
    std::vector<std::array<float, 3>> latentToRgb;

    /// Errors  throws Failure UnusableFile, also for families that are recognised and not supported.
    static CheckpointConfig detect(const TensorIndex &index);
};

}  // namespace sg
