#include "core/modelfile/checkpoint_marks.h"

#include <cstdint>
#include <string_view>
#include <utility>

namespace sg {
namespace {

constexpr std::string_view kUnetPrefix = "model.diffusion_model.";

std::int64_t inputChannels(const TensorIndex &index)
{
    return index.dim(std::string(kUnetPrefix) + "input_blocks.0.0.weight", 1);
}

/// -1: there is no autoencoder.
std::int64_t latentChannels(const TensorIndex &index)
{
    return index.dim("first_stage_model.decoder.conv_in.weight", 1);
}

/// The guidance scale as an input, which distillation adds: in the single file's names, or in diffusers', which have
/// no other.
std::string guidanceEmbedding(const TensorIndex &index)
{
    for (const std::string_view prefix : {kUnetPrefix, std::string_view("unet."), std::string_view()})
        for (const std::string_view name : {"time_embed.cond_proj.weight", "time_embedding.cond_proj.weight"})
            if (const std::string key = std::string(prefix) + std::string(name); index.contains(key)) return key;
    return {};
}

}  // namespace

Expected<std::optional<PredictionSaid>> predictionSaid(const TensorIndex &index)
{
    constexpr std::string_view kKey = "modelspec.prediction_type";
    const std::string key(kKey);
    const std::string_view said = index.meta(kKey);
    if (said == "epsilon" || said == "eps") return PredictionSaid{false, "metadata " + key};
    if (said == "v" || said == "v_prediction") return PredictionSaid{true, "metadata " + key};
    if (!said.empty())
        return fail(ErrorCode::UnusableFile, "\"" + std::string(said.substr(0, 80)) + "\" is neither epsilon nor v",
                    key);
    if (index.contains("v_pred")) return PredictionSaid{true, "key v_pred"};
    if (index.meta("ss_v_parameterization") == "True") return PredictionSaid{true, "metadata ss_v_parameterization"};
    const std::string_view architecture = index.meta("modelspec.architecture");
    if (architecture.starts_with("stable-diffusion-v2-768-v"))
        return PredictionSaid{true, "metadata modelspec.architecture"};
    if (architecture.starts_with("stable-diffusion-v2-512"))
        return PredictionSaid{false, "metadata modelspec.architecture"};
    return std::nullopt;
}

std::string zeroTerminalSnrSaid(const TensorIndex &index)
{
    if (index.contains("ztsnr")) return "key ztsnr";
    if (index.meta("ss_zero_terminal_snr") == "True") return "metadata ss_zero_terminal_snr";
    return {};
}

std::string checkpointVariant(const TensorIndex &index, BaseFamily family)
{
    std::string words;
    const auto add = [&words](const char *word) { words += (words.empty() ? "" : ", ") + std::string(word); };
    const std::int64_t takes = inputChannels(index), latent = latentChannels(index) > 0 ? latentChannels(index) : 4;
    if (takes == 2 * latent + 1) add("inpainting");
    if (takes == 2 * latent) add("editing");
    if (family == BaseFamily::Sdxl && index.hasPrefix("conditioner.embedders.0.model.")) add("refiner");
    if (const auto said = predictionSaid(index); said && *said && (*said)->v) add("v prediction");
    if (!zeroTerminalSnrSaid(index).empty()) add("zero terminal SNR");
    return words;
}

std::string refusedRelative(const TensorIndex &index)
{
    for (const auto &[key, model] : {std::pair("edm_mean", "Playground 2.5"), {"edm_vpred.sigma_max", "CosXL"}})
        if (index.contains(key))
            return "is made for EDM noise levels (key " + std::string(key) + ": " + model +
                   "), which are not supported";
    if (index.hasPrefix("noise_augmentor.") || index.hasPrefix("embedder.model.visual."))
        return "is an unCLIP checkpoint, which is drawn from pictures and not supported";
    if (const std::string key = guidanceEmbedding(index); !key.empty())
        return "is told the guidance scale by an embedding of its own (key " + key +
               ": a distilled LCM), which is not supported";
    const std::int64_t takes = inputChannels(index), latent = latentChannels(index);
    if (takes < 1 || latent < 1 || takes == latent || takes == 2 * latent || takes == 2 * latent + 1) return {};
    return "the UNet takes " + std::to_string(takes) + " channels and the autoencoder makes " + std::to_string(latent) +
           ": neither inpainting nor editing" +
           (takes == latent + 1 ? " but depth to image, which is not supported" : "");
}

}  // namespace sg
