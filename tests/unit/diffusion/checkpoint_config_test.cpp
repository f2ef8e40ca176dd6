// What is told of a checkpoint from its header alone: the published lists of names and shapes, each with one thing
// changed that sets a variant apart, and what the user says against it.
#include "core/diffusion/pipeline/checkpoint_config.h"

#include "core/base/error.h"
#include "tests/support/check.h"
#include "tests/support/key_lists.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace sg;

const std::string kUnet = "model.diffusion_model.";
const std::string kFirst = kUnet + "input_blocks.0.0.weight";

TensorIndex published(const std::string &family)
{
    if (family == "sd1") return test::readKeyList(std::string(SG_TEST_DATA) + "/sd15_keys.txt");
    return test::readFamily(family);
}

TensorIndex changed(const TensorIndex &index, const std::function<void(TensorIndex::Tensors &)> &change)
{
    TensorIndex::Tensors tensors = index.tensors();
    change(tensors);
    return TensorIndex("a file", 0, index.metadata(), std::move(tensors));
}

TensorIndex withChannels(const TensorIndex &index, std::int64_t channels)
{
    return changed(index, [channels](TensorIndex::Tensors &tensors) { tensors.at(kFirst).shape[1] = channels; });
}

TensorIndex with(const TensorIndex &index, const std::string &key)
{
    return changed(index, [&key](TensorIndex::Tensors &tensors) { tensors[key].shape = {1}; });
}

TensorIndex renamed(const TensorIndex &index, const std::string &from, const std::string &to)
{
    return changed(index, [&](TensorIndex::Tensors &tensors) {
        TensorIndex::Tensors made;
        for (auto &[name, info] : tensors)
            made[name.starts_with(from) ? to + name.substr(from.size()) : name] = info;
        tensors = std::move(made);
    });
}

ModelChoices chosen(std::string_view family)
{
    ModelChoices choices;
    choices.family = family;
    return choices;
}

std::optional<Error> refused(const TensorIndex &index, const ModelChoices &choices = {})
{
    try {
        (void)CheckpointConfig::detect(index, {}, choices);
    } catch (const Failure &failure) {
        return failure.error;
    }
    return std::nullopt;
}

bool says(const std::optional<Error> &error, std::string_view part)
{
    return error && error->code == ErrorCode::UnusableFile && error->message.find(part) != std::string::npos;
}

bool has(const std::vector<std::string> &texts, std::string_view part)
{
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string &text) { return text.find(part) != std::string::npos; });
}

}  // namespace

SG_CASE(inputs_of_every_family)
{
    struct Row {
        std::int64_t channels;
        ImageInput input;
        const char *variant, *reason;
    };
    for (const std::string family : {"sd1", "sd2", "sdxl"})
        for (const Row &row : {Row{4, ImageInput::None, "", ""},
                               Row{8, ImageInput::Edit, "editing", "8 channels: edits pictures by instruction"},
                               Row{9, ImageInput::Inpaint, "inpainting", "9 channels: inpainting"}}) {
            const TensorIndex index = withChannels(published(family), row.channels);
            const CheckpointConfig config = CheckpointConfig::detect(index);
            CHECK(config.variant == family && config.imageInput == row.input);
            CHECK(config.unet.inChannels == row.channels && config.unet.outChannels == 4);
            CHECK(config.latentChannels == 4 && has(config.reasons, row.reason));
            CHECK(describeModel(index).variant == row.variant && describeModel(index).refusal.empty());
        }
}

SG_CASE(relatives_are_refused_from_their_names)
{
    const TensorIndex sd1 = published("sd1"), sd2 = published("sd2"), sdxl = published("sdxl");
    for (const auto &[index, why] :
         {std::pair(with(sdxl, "edm_mean"), "Playground 2.5"),
          {with(sdxl, "edm_vpred.sigma_max"), "CosXL"},
          {with(sd2, "noise_augmentor.time_embed.0.weight"), "unCLIP"},
          {with(sd2, "embedder.model.visual.proj"), "unCLIP"},
          {withChannels(sd2, 5), "depth to image"},
          {withChannels(sd2, 7), "takes 7 channels and the autoencoder makes 4"},
          {with(sd1, kUnet + "time_embed.cond_proj.weight"), "told the guidance scale by an embedding of its own"},
          {with(sd1, "unet.time_embedding.cond_proj.weight"), "key unet.time_embedding.cond_proj.weight"},
          {with(sdxl, kUnet + "time_embedding.cond_proj.weight"), "a distilled LCM"}}) {
        CHECK(says(refused(index), why));
        CHECK(describeModel(index).refusal.find(why) != std::string::npos);
    }
    for (const TensorIndex &index : {sd1, sd2, sdxl, published("sdxl-refiner")})
        CHECK(!refused(index) && describeModel(index).refusal.empty());
}

SG_CASE(a_chosen_family_counts_where_its_text_encoders_are)
{
    // As the trainer of SDXL writes Stable Diffusion 1 and 2: their text encoder is its first embedder.
    const TensorIndex first =
        renamed(published("sd1"), "cond_stage_model.transformer.", "conditioner.embedders.0.transformer.");
    CHECK(says(refused(first), "half of a Stable Diffusion XL checkpoint"));
    const CheckpointConfig sd1 = CheckpointConfig::detect(first, {}, chosen("sd1"));
    CHECK(sd1.variant == "sd1" && sd1.family == BaseFamily::Sd1 && sd1.latentScale == 0.18215);
    CHECK(sd1.texts.size() == 1 && sd1.texts[0].reading.skip == 1 && sd1.contextDim == 768);
    CHECK(has(sd1.reasons, "Stable Diffusion 1: chosen by the user"));
    const TensorIndex second = renamed(published("sd2"), "cond_stage_model.model.", "conditioner.embedders.0.model.");
    CHECK(refused(second).has_value());
    const CheckpointConfig sd2 = CheckpointConfig::detect(second, {}, chosen("sd2"));
    CHECK(sd2.variant == "sd2" && sd2.contextDim == 1024 && sd2.predictionUnsure);
    // What is there anyway may be said too.
    for (const std::string family : {"sd1", "sd2", "sdxl", "sdxl-refiner"})
        CHECK(CheckpointConfig::detect(published(family), {}, chosen(family)).variant == family);
}

SG_CASE(a_chosen_family_that_the_tensors_contradict)
{
    CHECK(says(refused(published("sd1"), chosen("sd2")),
               "was chosen to be sd2, but has no text encoder under cond_stage_model.model.*: its tensors are those of "
               "Stable Diffusion 1"));
    CHECK(says(refused(published("sd2"), chosen("sdxl")), "conditioner.embedders.1.model.*"));
    // There, and of other widths.
    CHECK(says(refused(published("sdxl"), chosen("sd1")),
               "was chosen to be sd1, but the UNet wants words of width 2048, the text encoders make 768"));
    CHECK(says(refused(published("sdxl-refiner"), chosen("sd2")), "was chosen to be sd2, but label_emb"));
}

SG_CASE(variants_are_told_apart)
{
    const auto variant = [](const TensorIndex &index) { return describeModel(index).variant; };
    CHECK(variant(published("sd1")).empty() && variant(published("sdxl")).empty());
    CHECK(variant(published("sdxl-refiner")) == "refiner");
    CHECK(variant(with(published("sdxl"), "v_pred")) == "v prediction");
    CHECK(variant(with(with(published("sdxl"), "v_pred"), "ztsnr")) == "v prediction, zero terminal SNR");
    CHECK(variant(with(withChannels(published("sdxl"), 9), "v_pred")) == "inpainting, v prediction");
}
