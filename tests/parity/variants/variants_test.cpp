// Whole pictures of what families have beside their plain model, against diffusers' own pipelines and schedulers
// (make_variants.py made the data): inpainting, instruct-pix2pix, the refiner, a handover to it, a distilled model.
#include "core/diffusion/pipeline/text_to_image.h"
#include "tests/support/check.h"
#include "tests/support/filled_checkpoint.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace {

using namespace sg;
using test::Collector, test::FilledCheckpoint;

constexpr int kTolerance = 2;  // of 255
const std::string kData = SG_SOURCE_DIR "/tests/parity/";
const std::string kBigG = "conditioner.embedders.0.model.token_embedding.weight";
const std::string kFirst = "model.diffusion_model.input_blocks.0.0.weight";

const test::TensorFile &data()
{
    static const test::TensorFile file(kData + "variants/pictures.safetensors");
    return file;
}

std::shared_ptr<Checkpoint> load(const FilledCheckpoint &file)
{
    const c10::InferenceMode mode;
    try {
        return loadCheckpoint(file.path(), torch::kCPU, torch::kFloat32);
    } catch (const Failure &failure) {
        throw std::runtime_error(failure.error.subject + ": " + failure.error.message);
    }
}

/// The starter with the data's first layer of so many channels.
std::shared_ptr<Checkpoint> wide(int channels)
{
    const FilledCheckpoint file(test::kStarter, {}, [channels](Json &header, std::string &bytes) {
        const torch::Tensor &layer = data().at("first_layer." + std::to_string(channels));
        header["model_ema.first"] = header[kFirst];  // a name that is left out
        header[kFirst] = {{"dtype", "F32"},
                          {"shape", layer.sizes().vec()},
                          {"data_offsets", {bytes.size(), bytes.size() + layer.nbytes()}}};
        bytes.append(static_cast<const char *>(layer.data_ptr()), layer.nbytes());
    });
    return load(file);
}

Checkpoint &refiner()
{
    static const FilledCheckpoint file(kData + "variants/refiner.safetensors", {{kBigG, 12}});
    static const std::shared_ptr<Checkpoint> model = load(file);
    return *model;
}

Image imageOf(const torch::Tensor &bytes)
{
    Image image(static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)), bytes.dim() == 3 ? 3 : 1);
    std::memcpy(image.pixels.data(), bytes.data_ptr(), image.pixels.size());
    return image;
}

GenerationRequest request(std::int64_t height, std::int64_t width, const char *prompt, const char *negative)
{
    GenerationRequest made;
    made.prompt = prompt;
    made.negativePrompt = negative;
    made.sampler = "Euler";
    made.schedule = "automatic";
    made.steps = 4;
    made.cfgScale = 5;
    made.seed = 5;
    made.subseed = 0;
    made.height = height;
    made.width = width;
    return made;
}

GenerationRequest tiny(const char *negative)
{
    GenerationRequest made = request(24, 32, "a (red:1.3) star on a hill", negative);
    made.cfgScale = 4;
    return made;
}

PreparedStart startOf(GenerationRequest &wanted, const char *picture, double strength)
{
    PreparedStart made;
    made.pictures = {imageOf(data().at(picture))};
    wanted.start.pictures = made.pictures;
    wanted.denoisingStrength = strength;
    return made;
}

void compare(const Collector &sink, const char *name)
{
    CHECK(sink.images.size() == 1);
    const Image expected = imageOf(data().at(name)[0].contiguous()), &made = sink.images.at(0);
    CHECK(made.width == expected.width && made.height == expected.height);
    int worst = 0;
    for (std::size_t i = 0; i < made.pixels.size(); ++i)
        worst = std::max(worst, std::abs(made.pixels[i] - expected.pixels[i]));
    std::printf("     %s: %d of 255\n", name, worst);
    CHECK(worst <= kTolerance);
}

Collector draw(const TaskModels &models, const GenerationRequest &wanted, const PreparedStart &start = {})
{
    const c10::InferenceMode mode;
    Collector sink;
    (void)drawPictures(models, wanted, start, {}, sink, {});
    return sink;
}

Collector draw(Checkpoint &model, const GenerationRequest &wanted, const PreparedStart &start = {})
{
    Conditioner conditioner;
    return draw(TaskModels{{model, conditioner}}, wanted, start);
}

}  // namespace

SG_CASE(inpainting_models)
{
    const std::shared_ptr<Checkpoint> model = wide(9);
    CHECK(model->config.imageInput == ImageInput::Inpaint && model->config.unet.inChannels == 9);
    GenerationRequest wanted = request(64, 64, "a red star", "blue");
    compare(draw(*model, wanted), "inpainting_text");
    PreparedStart start = startOf(wanted, "start", 1);
    start.mask = imageOf(data().at("mask"));
    compare(draw(*model, wanted, start), "inpainting");
}

SG_CASE(editing_models)
{
    const std::shared_ptr<Checkpoint> model = wide(8);
    CHECK(model->config.imageInput == ImageInput::Edit);
    GenerationRequest wanted = request(64, 64, "a red star", "blue");
    const PreparedStart start = startOf(wanted, "start", 1);
    wanted.start.imageScale = 1.7;
    compare(draw(*model, wanted, start), "editing");
}

SG_CASE(a_whole_refiner)
{
    const CheckpointConfig &config = refiner().config;
    CHECK(config.variant == "sdxl-refiner" && config.sizes == SizeNumbers::Aesthetic && config.emptyNegativeIsZero);
    CHECK(config.texts.size() == 1 && refiner().warnings.empty());
    // Three of four levels: A1111 walks one more than the share of them.
    for (const auto &[negative, name] : {std::pair("blue", "refined"), {"", "refined_empty"}}) {
        GenerationRequest wanted = tiny(negative);
        const PreparedStart start = startOf(wanted, "small_start", 0.5);
        compare(draw(refiner(), wanted, start), name);
    }
}

SG_CASE(a_handover_to_other_text_encoders)
{
    const FilledCheckpoint file(
        kData + "networks/sdxl.safetensors",
        {{"conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", 8},
         {"conditioner.embedders.1.model.token_embedding.weight", 12}});
    const std::shared_ptr<Checkpoint> base = load(file);
    Conditioner first, second;
    GenerationRequest wanted = tiny("");
    wanted.refiner.enabled = true;
    wanted.refiner.switchAt = 0.5;
    TaskModels models{{*base, first}};
    models.refiner.emplace(TaskModel{refiner(), second});
    compare(draw(models, wanted), "handed_over");
}

SG_CASE(a_distilled_model)
{
    GenerationRequest wanted = request(64, 64, "a red star", "blue");
    wanted.sampler = "LCM";
    wanted.steps = 8;
    wanted.cfgScale = 1;
    compare(draw(test::starter(), wanted), "distilled");
}
