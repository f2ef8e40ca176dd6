#include "core/diffusion/pipeline/checkpoint_config.h"

#include "core/base/json.h"

#include <string_view>
#include <utility>

namespace sg {
namespace {

using RgbRows = std::vector<std::array<float, 3>>;

/// What shapes cannot say, by family.
struct Family {
    BaseFamily family;
    sampling::Prediction prediction;
    RgbRows latentToRgb;
};

const Family &familyDefaults()
{
    // Least squares over pictures and their latents; the values that ComfyUI uses for SD1 previews.
    static const Family kSd1{BaseFamily::Sd1,
                             sampling::Prediction::Eps,
                             {{0.3512f, 0.2297f, 0.3227f},
                              {0.3250f, 0.4974f, 0.2350f},
                              {-0.2829f, 0.1762f, 0.2721f},
                              {-0.2120f, -0.2616f, -0.7177f}}};
    return kSd1;
}

[[noreturn]] void refuse(std::string message, std::string subject)
{
    throw Failure{Error{ErrorCode::UnusableFile, std::move(message), std::move(subject)}};
}

sampling::Prediction predictionOf(const TensorIndex &index, sampling::Prediction otherwise)
{
    constexpr std::string_view kKey = "modelspec.prediction_type";
    const std::string_view said = index.meta(kKey);
    if (said == "epsilon" || said == "eps") return sampling::Prediction::Eps;
    if (said == "v" || said == "v_prediction" || index.contains("v_pred")) return sampling::Prediction::V;
    if (!said.empty()) refuse("\"" + std::string(said) + "\" is neither epsilon nor v", std::string(kKey));
    return otherwise;
}

RgbRows latentToRgbOf(const TensorIndex &index, std::int64_t channels, const RgbRows &otherwise)
{
    constexpr std::string_view kKey = "serigraph.latent.to_rgb";
    const std::string_view text = index.meta(kKey);
    if (text.empty()) return otherwise;
    const Expected<Json> json = parseJson(text, {.bytes = 4096, .depth = 3, .values = 200});
    if (!json) refuse("is no JSON: " + json.error().message, std::string(kKey));
    RgbRows rows;
    const auto fits = [&] {
        if (!json->is_array()) return false;
        for (const Json &row : *json) {
            if (!row.is_array() || row.size() != 3) return false;
            for (const Json &value : row)
                if (!value.is_number()) return false;
            rows.push_back({row[0].get<float>(), row[1].get<float>(), row[2].get<float>()});
        }
        return rows.size() == static_cast<std::size_t>(channels) ||
               rows.size() == static_cast<std::size_t>(channels) + 1;
    };
    if (!fits())
        refuse("must be a row of three numbers for each latent channel, and perhaps one more", std::string(kKey));
    return rows;
}

}  // namespace

CheckpointConfig CheckpointConfig::detect(const TensorIndex &index)
{
    const ModelDescription what = describeModel(index);
    if (what.kind != ModelKind::Checkpoint)
        refuse("is no checkpoint but: " + std::string(modelKindName(what.kind)) + " (" + what.reason + ")",
               index.path());
    const Family &defaults = familyDefaults();
    if (what.family != defaults.family)
        refuse("is a checkpoint of family " + std::string(familyName(what.family)) +
                   "; only Stable Diffusion 1 is supported (" + what.reason + ")",
               index.path());
    CheckpointConfig config;
    config.family = what.family;
    config.unetPrefix = "model.diffusion_model.";
    config.vaePrefix = "first_stage_model.";
    config.textPrefix = "cond_stage_model.transformer.text_model.";
    // Some early files lack one part of the name.
    if (!index.hasPrefix(config.textPrefix)) config.textPrefix = "cond_stage_model.transformer.";
    config.unet = UNetConfig::detect(index, config.unetPrefix);
    config.vae = VaeConfig::detect(index, config.vaePrefix);
    config.text = ClipTextConfig::detect(index, config.textPrefix);
    if (config.unet.vectorDim > 0) refuse("label_emb: vector conditioning is not supported", index.path());
    if (config.unet.inChannels != config.vae.latentChannels || config.unet.outChannels != config.vae.latentChannels)
        refuse("the UNet takes " + std::to_string(config.unet.inChannels) + " channels and the autoencoder makes " +
                   std::to_string(config.vae.latentChannels) + ": inpainting and editing models are not supported yet",
               index.path());
    if (config.unet.contextDim != config.text.width)
        refuse("the UNet wants words of width " + std::to_string(config.unet.contextDim) + ", the text encoder makes " +
                   std::to_string(config.text.width),
               index.path());
    config.prediction = predictionOf(index, defaults.prediction);
    config.latentScale = config.vae.latentScale;
    config.latentChannels = config.vae.latentChannels;
    config.latentFactor = config.vae.factor();
    config.contextDim = config.unet.contextDim;
    config.tokens = config.text.positions;
    config.latentToRgb = latentToRgbOf(index, config.latentChannels, defaults.latentToRgb);
    return config;
}

}  // namespace sg
