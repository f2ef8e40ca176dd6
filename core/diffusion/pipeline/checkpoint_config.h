#pragma once

#include "core/diffusion/clip/clip_text_config.h"
#include "core/diffusion/pipeline/model_family.h"
#include "core/diffusion/sampling/prediction.h"
#include "core/diffusion/unet/unet_config.h"
#include "core/diffusion/vae/vae_config.h"
#include "core/modelfile/model_choices.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/sidecar.h"
#include "core/modelfile/tensor_index.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// Keys that some SDXL checkpoints carry only for what their presence says: v prediction, zero terminal SNR.
inline constexpr std::array kMarkerKeys{"v_pred", "ztsnr"};

/// One text encoder of a checkpoint.
struct TextConfig {
    std::string prefix;
    ClipTextConfig clip;
    ClipReading reading;
};

/// What the network sees of a picture besides the noisy one.
enum class ImageInput {
    None,
    Inpaint,  ///< a mask, and the latents of the picture without what the mask covers
    Edit      ///< the latents of the picture that is to be changed (instruct-pix2pix)
};

/// Everything that is known of a checkpoint before its weights are read: from shapes, else from the file's metadata,
/// else from the table of families.
struct CheckpointConfig {
    BaseFamily family = BaseFamily::Sd1;
    std::string variant;  ///< ModelFamily::name
    std::vector<TextConfig> texts;
    UNetConfig unet;
    VaeConfig vae;
    std::string unetPrefix, vaePrefix;
    sampling::Prediction prediction = sampling::Prediction::Eps;
    bool predictionUnsure = false;  ///< the family has both kinds and nothing in the file tells: ask the network
    bool zeroTerminalSnr = false;   ///< the last noise level is all noise
    ImageInput imageInput = ImageInput::None;
    SizeNumbers sizes = SizeNumbers::None;
    std::int64_t sizeDim = 0;  ///< width of one size number in the vector conditioning
    bool emptyNegativeIsZero = false;
    double latentScale = 0;  ///< samplers' latents = autoencoder's latents * latentScale
    std::int64_t latentChannels = 4;
    std::int64_t latentFactor = 8;  ///< pixels per latent pixel
    std::int64_t contextDim = 0;
    bool fileAlphas = true;            ///< whether the file's own noise levels count
    std::vector<float> alphasCumprod;  ///< empty: Stable Diffusion's own
    LatentRgb latentToRgb;
    std::vector<std::string> reasons;  ///< English: what each of the choices above rests on

    /// What the user chose counts before what the file says, that before what the sidecar says, and that before the
    /// table of families. Errors  throws Failure UnusableFile, also for families that are recognised and not supported,
    /// and for a choice that the tensors contradict.
    static CheckpointConfig detect(const TensorIndex &index, const Sidecar &sidecar = {},
                                   const ModelChoices &choices = {});
};

}  // namespace sg
