#include "core/diffusion/pipeline/checkpoint_config.h"

#include "core/base/json.h"
#include "core/base/or_throw.h"
#include "core/modelfile/checkpoint_marks.h"

#include <optional>
#include <string_view>
#include <utility>

namespace sg {
namespace {

constexpr const char *kChosen = "chosen by the user";

void chooseZeroSnr(const TensorIndex &index, const ModelChoices &choices, CheckpointConfig &config)
{
    std::string zero;
    if (choices.zeroTerminalSnr)
        zero = kChosen;
    else
        zero = zeroTerminalSnrSaid(index);
    config.zeroTerminalSnr = choices.zeroTerminalSnr.value_or(!zero.empty());
    if (!zero.empty())
        config.reasons.push_back((config.zeroTerminalSnr ? "zero terminal SNR: " : "no zero terminal SNR: ") + zero);
}

void choosePrediction(const TensorIndex &index, const Sidecar &sidecar, const ModelChoices &choices,
                      const ModelFamily &family, CheckpointConfig &config)
{
    config.prediction = family.prediction;
    std::string why = "as its family";
    if (choices.predictsV) {
        config.prediction = *choices.predictsV ? sampling::Prediction::V : sampling::Prediction::Eps;
        why = kChosen;
    } else if (const std::optional<PredictionSaid> said = orThrow(predictionSaid(index))) {
        config.prediction = said->v ? sampling::Prediction::V : sampling::Prediction::Eps;
        why = said->where;
    } else if (sidecar.predictsV) {
        config.prediction = *sidecar.predictsV ? sampling::Prediction::V : sampling::Prediction::Eps;
        why = "the .yaml beside it";
    } else {
        config.predictionUnsure = family.predictionVaries;
    }
    const std::string kind(config.prediction == sampling::Prediction::V ? "v" : "epsilon");
    if (!config.predictionUnsure) config.reasons.push_back(kind + " prediction: " + why);
}

/// The family that the user chose, else the one that the tensors tell.
const ModelFamily &familyOf(const TensorIndex &index, const ModelDescription &what, const ModelChoices &choices)
{
    if (choices.family.empty()) return findFamily(index, what);
    const ModelFamily &family = chosenFamily(choices.family);
    if (const std::string missing = missingTexts(index, family); !missing.empty())
        throwUnusable("was chosen to be " + std::string(choices.family) + ", but has no text encoder under " + missing +
                          ": its tensors are those of " + std::string(familyTitle(what.family)) + " (" + what.reason +
                          ")",
                      index.path());
    return family;
}

void readTexts(const TensorIndex &index, const Sidecar &sidecar, const ModelFamily &family, CheckpointConfig &config)
{
    for (const TextPlace &place : family.texts) {
        TextConfig text;
        for (const std::string_view prefix : place.prefixes)
            if (text.prefix.empty() && index.hasPrefix(prefix)) text.prefix = prefix;
        const std::size_t number = config.texts.size() + 1;
        text.clip = ClipTextConfig::detect(index, text.prefix,
                                           number == 1 ? "serigraph.text.heads"
                                                       : "serigraph.text" + std::to_string(number) + ".heads");
        text.reading = place.reading;
        if (sidecar.penultimate && family.base == BaseFamily::Sd2) {
            text.reading.skip = *sidecar.penultimate ? 2 : 1;
            config.reasons.emplace_back("text encoder's layer: the .yaml beside it");
        }
        if (text.reading.skip > 1 && !text.reading.pooled && text.clip.layers == place.layers - 1) {
            --text.reading.skip;
            config.reasons.push_back(text.prefix + "*: " + std::to_string(text.clip.layers) +
                                     " layers, the one that is never read is left out");
        }
        if (!text.reading.pooled) text.clip.projection = 0;
        if (text.reading.pooled && text.clip.projection == 0)
            throwUnusable("this tensor is missing; the pooled text needs it", text.prefix + "text_projection");
        config.contextDim += text.clip.width;
        config.texts.push_back(std::move(text));
    }
    if (config.unet.contextDim != config.contextDim)
        throwUnusable("the UNet wants words of width " + std::to_string(config.unet.contextDim) +
                          ", the text encoders make " + std::to_string(config.contextDim),
                      index.path());
}

// Heads of the UNet's attention, and whether the sidecar is this file's at all.
void readHeads(const TensorIndex &index, const Sidecar &sidecar, CheckpointConfig &config)
{
    if (sidecar.contextDim && *sidecar.contextDim != config.unet.contextDim) {
        config.reasons.push_back("the .yaml beside it says words of width " + std::to_string(*sidecar.contextDim) +
                                 ", the tensors " + std::to_string(config.unet.contextDim) + ": they count");
        return;
    }
    if (!index.meta("serigraph.unet.heads").empty() || !index.meta("serigraph.unet.head_dim").empty()) return;
    if (sidecar.headDim) {
        config.unet.heads = 0;
        config.unet.headDim = *sidecar.headDim;
    } else if (sidecar.heads) {
        config.unet.heads = *sidecar.heads;
    } else {
        return;
    }
    config.unet.checkHeads("the .yaml beside it");
    config.reasons.emplace_back("heads of the UNet: the .yaml beside it");
}

void readVector(const TensorIndex &index, const ModelFamily &family, CheckpointConfig &config)
{
    config.sizes = family.sizes;
    const std::int64_t count = sizeNumberCount(family.sizes), width = config.unet.vectorDim;
    if (count == 0 && width > 0)
        throwUnusable("label_emb: a " + std::string(family.title) + " with vector conditioning is not supported",
                      index.path());
    if (count == 0) return;
    const std::int64_t pooled = config.texts.back().clip.projection;
    config.sizeDim = (width - pooled) / count;
    if (config.sizeDim < 1 || config.sizeDim * count != width - pooled)
        throwUnusable("label_emb takes " + std::to_string(width) + " numbers, where the pooled text has " +
                          std::to_string(pooled) + " and " + std::to_string(count) + " sizes share the rest",
                      index.path());
    config.reasons.push_back("label_emb takes " + std::to_string(width) + ": pooled text and " + std::to_string(count) +
                             " numbers");
}

void readImageInput(const TensorIndex &index, CheckpointConfig &config)
{
    const std::int64_t takes = config.unet.inChannels, latent = config.vae.latentChannels;
    const std::string channels = std::to_string(takes) + " channels";
    if (config.unet.outChannels != latent)
        throwUnusable("the UNet makes " + std::to_string(config.unet.outChannels) + " channels, the autoencoder " +
                          std::to_string(latent),
                      index.path());
    if (takes == latent) return;
    if (takes == 2 * latent + 1) {
        config.imageInput = ImageInput::Inpaint;
        config.reasons.push_back(channels + ": inpainting");
    } else if (takes == 2 * latent) {
        config.imageInput = ImageInput::Edit;
        config.reasons.push_back(channels + ": edits pictures by instruction");
    } else {
        throwUnusable("the UNet takes " + channels + ", the autoencoder makes " + std::to_string(latent), index.path());
    }
}

LatentRgb latentToRgbOf(const TensorIndex &index, std::int64_t channels, const LatentRgb &otherwise)
{
    constexpr std::string_view kKey = "serigraph.latent.to_rgb";
    const std::string_view text = index.meta(kKey);
    if (text.empty()) return otherwise;
    const Expected<Json> json = parseJson(text, {.bytes = 4096, .depth = 3, .values = 200});
    if (!json) throwUnusable("is no JSON: " + json.error().message, std::string(kKey));
    LatentRgb rows;
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
        throwUnusable("must be a row of three numbers for each latent channel, and perhaps one more",
                      std::string(kKey));
    return rows;
}

}  // namespace

CheckpointConfig CheckpointConfig::detect(const TensorIndex &index, const Sidecar &sidecar, const ModelChoices &choices)
{
    const ModelDescription what = describeModel(index);
    if (what.kind != ModelKind::Checkpoint)
        throwUnusable("is no checkpoint but: " + std::string(modelKindName(what.kind)) + " (" + what.reason + ")",
                      index.path());
    if (!what.refusal.empty()) throwUnusable(what.refusal, index.path());
    const ModelFamily &family = familyOf(index, what, choices);
    CheckpointConfig config;
    config.family = family.base;
    config.variant = family.name;
    config.reasons.push_back(std::string(family.title) + ": " +
                             (choices.family.empty() ? std::string() : std::string(kChosen) + ", ") + what.reason);
    config.unetPrefix = "model.diffusion_model.";
    config.vaePrefix = "first_stage_model.";
    if (!index.hasPrefix(config.vaePrefix))
        throwUnusable("is half of a " + std::string(family.title) + " checkpoint: it has no autoencoder under " +
                          config.vaePrefix + "*",
                      index.path());
    config.unet = UNetConfig::detect(index, config.unetPrefix);
    readHeads(index, sidecar, config);
    config.vae = VaeConfig::detect(index, config.vaePrefix, sidecar.latentScale.value_or(family.latentScale));
    try {
        readTexts(index, sidecar, family, config);
        readVector(index, family, config);
    } catch (Failure &failure) {
        if (!choices.family.empty())
            failure.error.message =
                "was chosen to be " + std::string(choices.family) + ", but " + failure.error.message;
        throw;
    }
    readImageInput(index, config);
    choosePrediction(index, sidecar, choices, family, config);
    chooseZeroSnr(index, choices, config);
    config.emptyNegativeIsZero = family.emptyNegativeIsZero;
    config.fileAlphas = family.fileAlphas;
    config.latentScale = config.vae.latentScale;
    config.latentChannels = config.vae.latentChannels;
    config.latentFactor = config.vae.factor();
    config.latentToRgb = latentToRgbOf(index, config.latentChannels, family.latentToRgb);
    return config;
}

}  // namespace sg
