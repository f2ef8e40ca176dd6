// Whole pictures of what families have beside their plain model, against diffusers' own pipelines and schedulers
// (make_variants.py made the data): inpainting, instruct-pix2pix, the refiner, a handover to it, a distilled model. And
// which network a walk asks, with how many rows: the refiner's switch point, by numbers worked out from A1111's rule,
// and guidance that costs nothing at scale 1.
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/probe.h"
#include "core/diffusion/pipeline/sampling_pass.h"
#include "core/diffusion/pipeline/text_to_image.h"
#include "core/modelfile/safetensors.h"
#include "core/text/prompt_chunks.h"
#include "tests/support/check.h"
#include "tests/support/filled_checkpoint.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"
#include "tests/support/tensor_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

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

/// An edit of a file: its own noise levels.
FilledCheckpoint::Change withLevels(const torch::Tensor &alphas, const char *dtype)
{
    return [alphas, dtype](Json &header, std::string &bytes) {
        header["alphas_cumprod"] = {{"dtype", dtype},
                                    {"shape", alphas.sizes().vec()},
                                    {"data_offsets", {bytes.size(), bytes.size() + alphas.nbytes()}}};
        bytes.append(static_cast<const char *>(alphas.data_ptr()), alphas.nbytes());
    };
}

/// Some of Stable Diffusion's kind, which are not its own.
torch::Tensor otherLevels()
{
    return (1 - torch::linspace(0.02, 0.1, 1000, torch::kDouble).square()).cumprod(0).to(torch::kFloat);
}

std::vector<float> numbersOf(const torch::Tensor &tensor)
{
    const torch::Tensor plain = tensor.to(torch::kFloat).contiguous();
    return {plain.data_ptr<float>(), plain.data_ptr<float>() + plain.numel()};
}

Checkpoint &refiner()
{
    static const FilledCheckpoint file(kData + "variants/refiner.safetensors", {{kBigG, 12}});
    static const std::shared_ptr<Checkpoint> model = load(file);
    return *model;
}

const FilledCheckpoint &sdxlBase()
{
    static const FilledCheckpoint file(
        kData + "networks/sdxl.safetensors",
        {{"conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", 8},
         {"conditioner.embedders.1.model.token_embedding.weight", 12}});
    return file;
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

SG_CASE(inpainting_models_see_half_a_mask)
{
    const std::shared_ptr<Checkpoint> model = wide(9);
    GenerationRequest wanted = request(64, 64, "a red star", "blue");
    PreparedStart start = startOf(wanted, "start", 1);
    start.mask = imageOf(data().at("soft_mask"));
    wanted.start.maskWeight = 0.4;
    compare(draw(*model, wanted, start), "inpainting_rounded");
    wanted.start.soft.enabled = true;
    compare(draw(*model, wanted, start), "inpainting_half");
    wanted.start.soft.enabled = wanted.start.maskRound = false;
    const Collector half = draw(*model, wanted, start);
    compare(half, "inpainting_half");
    CHECK(half.facts.at("Conditional mask weight") == "0.4");
    // SDXL's are shown whole masks, as by A1111.
    model->config.family = BaseFamily::Sdxl;
    compare(draw(*model, wanted, start), "inpainting_rounded");
}

SG_CASE(noise_levels_of_the_file)
{
    const torch::Tensor levels = otherLevels(), half = levels.to(torch::kHalf);
    const std::shared_ptr<Checkpoint> plain = load(FilledCheckpoint(test::kStarter));
    const std::shared_ptr<Checkpoint> other = load(FilledCheckpoint(test::kStarter, {}, withLevels(levels, "F32")));
    CHECK(other->config.alphasCumprod == numbersOf(levels) && plain->config.alphasCumprod != numbersOf(levels));
    const GenerationRequest wanted = request(64, 64, "a red star", "");
    const Image usual = draw(*plain, wanted).images.at(0);
    CHECK(usual.pixels != draw(*other, wanted).images.at(0).pixels);
    const std::shared_ptr<Checkpoint> rounded = load(FilledCheckpoint(test::kStarter, {}, withLevels(half, "F16")));
    CHECK(rounded->config.alphasCumprod == numbersOf(half));
    CHECK(rounded->config.alphasCumprod != other->config.alphasCumprod);

    torch::Tensor broken = levels.clone();
    broken[500] = std::nanf("");
    for (const torch::Tensor &unusable :
         {broken, levels.flip(0).contiguous(), levels * 2, levels.narrow(0, 0, 1), levels.reshape({10, 100})}) {
        const std::shared_ptr<Checkpoint> read =
            load(FilledCheckpoint(test::kStarter, {}, withLevels(unusable.contiguous(), "F32")));
        CHECK(read->config.alphasCumprod.empty());
        CHECK(read->config.reasons.back().find("alphas_cumprod") != std::string::npos);
    }
    const FilledCheckpoint large(
        kData + "networks/sdxl.safetensors",
        {{"conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", 8},
         {"conditioner.embedders.1.model.token_embedding.weight", 12}},
        withLevels(levels, "F32"));
    CHECK(load(large)->config.alphasCumprod.empty());
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
    const std::shared_ptr<Checkpoint> base = load(sdxlBase());
    Conditioner first, second;
    GenerationRequest wanted = tiny("");
    wanted.refiner.enabled = true;
    wanted.refiner.switchAt = 0.5;
    TaskModels models{{*base, first}};
    models.refiner.emplace(TaskModel{refiner(), second});
    compare(draw(models, wanted), "handed_over");
}

// Both parts at once: with a word's own rows of both tables its name draws the word's picture.
SG_CASE(an_embedding_for_two_text_encoders)
{
    const std::shared_ptr<Checkpoint> model = load(sdxlBase());
    const auto star = static_cast<std::int64_t>(chunkPrompt("star", {})->chunks.at(0).tokens.at(1));
    std::map<std::string, torch::Tensor> parts;
    std::vector<std::int64_t> widths;
    for (std::size_t i = 0; i < 2; ++i)
        for (const auto &entry : model->texts.at(i)->module().named_parameters())
            if (entry.key().ends_with("token_embedding.weight")) {
                parts[i == 0 ? "clip_l" : "clip_g"] = entry.value().narrow(0, star, 1).to(torch::kFloat).clone();
                widths.push_back(entry.value().size(1));
            }
    CHECK(parts.size() == 2 && widths.size() == 2);
    const std::string path = std::filesystem::temp_directory_path() / ("sg_zzthing_" + std::to_string(::getpid()));
    test::writeTensors(path, parts);
    Conditioner conditioner;
    CHECK(conditioner.embeddings().use({{"zzthing", path}}, widths).empty());
    std::filesystem::remove(path);
    GenerationRequest wanted = tiny("");
    const auto drawn = [&](const char *prompt) {
        wanted.prompt = prompt;
        return draw(TaskModels{{*model, conditioner}}, wanted).images.at(0);
    };
    const Image word = drawn("a red star");
    CHECK(drawn("a red zzthing") == word);
    CHECK(!(drawn("a red zzother") == word));
}

SG_CASE(a_distilled_model)
{
    GenerationRequest wanted = request(64, 64, "a red star", "blue");
    wanted.sampler = "LCM";
    wanted.steps = 8;
    wanted.cfgScale = 1;
    compare(draw(test::starter(), wanted), "distilled");
}

namespace {

/// Two tiny UNets of different widths, by which the probe tells them apart.
constexpr std::int64_t kBaseWidth = 4, kRefinerWidth = 6;
constexpr const char *kBase = "sd1", *kRefiner = "linear";

Checkpoint unetOf(const std::string &name)
{
    const auto index = readSafetensors(SG_SOURCE_DIR "/tests/parity/networks/" + name + ".safetensors");
    const auto file = nn::MappedFile::open(index->path(), index->identity());
    Checkpoint model;
    model.config.unet = UNetConfig::detect(*index, "model.diffusion_model.");
    model.unet = UNet(model.config.unet);
    nn::BindReport report;
    nn::bind(*model.unet, "model.diffusion_model.", {*index, {*file}}, report);
    return model;
}

/// The width of the network that was asked, and its rows, call by call.
class Calls final : public nn::Probe {
public:
    void output(const torch::Tensor &made) override
    {
        if (name() == "input_blocks.0.0") list.emplace_back(made.size(1), made.size(0));
    }
    void attention(const torch::Tensor &, const torch::Tensor &, std::int64_t) override {}
    std::vector<std::pair<std::int64_t, std::int64_t>> list;
};

sampling::Guidance guidanceOf(const Checkpoint &model, double scale)
{
    const std::int64_t width = model.config.unet.contextDim;
    return {sampling::Conditioning{torch::ones({1, 77, width}), {}, {}},
            sampling::Conditioning{torch::zeros({1, 77, width}), {}, {}}, scale};
}

struct Walk {
    const char *sampler, *schedule;
    int steps;
};

std::vector<std::pair<std::int64_t, std::int64_t>> callsOf(const Walk &walk, double scale, std::int64_t batch,
                                                           std::optional<Refiner> how)
{
    Checkpoint base = unetOf(kBase), refiner = unetOf(kRefiner);
    SamplingPass pass(base, {.sampler = walk.sampler, .schedule = walk.schedule, .steps = walk.steps}, {});
    if (how) pass.setRefiner(refiner, *how, {});
    sampling::SamplerContext context;
    context.noise.next = [batch] { return torch::ones({batch, 4, 8, 8}); };
    context.noise.between = [batch](float, float) { return torch::ones({batch, 4, 8, 8}); };
    Calls calls;
    const nn::Probe::Scope scope(&calls);
    sampling::Guidance guidance = guidanceOf(base, scale);
    guidance.options.calls = sg::callsOf(walk.sampler, walk.steps);
    (void)pass.run(std::move(guidance), guidanceOf(refiner, scale), torch::ones({batch, 4, 8, 8}), {}, context);
    return calls.list;
}

/// How many calls went to the first network; -1 when one of them came after one of the refiner's.
std::int64_t callsOfBase(const Walk &walk, double switchAt, std::size_t expectedCalls, bool bySteps = false)
{
    const auto calls = callsOf(walk, 1, 1, Refiner{true, switchAt, bySteps});
    CHECK(calls.size() == expectedCalls);
    const auto isRefiner = [](const auto &call) { return call.first == kRefinerWidth; };
    const auto first = std::find_if(calls.begin(), calls.end(), isRefiner);
    CHECK(std::all_of(calls.begin(), first, [](const auto &call) { return call.first == kBaseWidth; }));
    return std::all_of(first, calls.end(), isRefiner) ? first - calls.begin() : -1;
}

}  // namespace

// (999 - j) / 1000 >= switch_at, where j is the level whose sigma is nearest (k-diffusion's samplers) or the timestep.
SG_CASE(the_refiner_takes_over_at_its_share_of_the_levels)
{
    struct Row {
        Walk walk;
        std::size_t calls;
        std::int64_t at3, at5, at8;  // calls of the first network with switch 0.3, 0.5, 0.8
    };
    for (const Row &row : {
             // Levels 999, 888, 777, 666, 555, 444, 333, 222, 111, 0.
             Row{{"Euler", "uniform", 10}, 10, 3, 5, 8},
             // Levels 999, 916, 815, 687, 523, 327, 146, 41, 7, 0.
             Row{{"Euler", "karras", 10}, 10, 3, 5, 6},
             Row{{"DPM++ 2M", "karras", 10}, 10, 3, 5, 6},
             // The same levels; every step but the last asks at its end too.
             Row{{"Heun", "karras", 10}, 19, 5, 9, 11},
             // Timesteps 901, 801, … 101: the first three are 0.098, 0.198 and 0.298 of the way.
             Row{{"DDIM", "automatic", 10}, 9, 3, 5, 8},
         }) {
        CHECK(callsOfBase(row.walk, 0.3, row.calls) == row.at3);
        CHECK(callsOfBase(row.walk, 0.5, row.calls) == row.at5);
        CHECK(callsOfBase(row.walk, 0.8, row.calls) == row.at8);
        CHECK(callsOfBase(row.walk, 0, row.calls) == 0);
        CHECK(callsOfBase(row.walk, 1, row.calls) == static_cast<std::int64_t>(row.calls));
    }
}

// Calls made / (steps, twice as many for samplers of second order) >= switch_at: A1111's rule before 1.8.
SG_CASE(the_refiner_takes_over_at_its_share_of_the_steps)
{
    const Walk euler{"Euler", "karras", 10}, heun{"Heun", "karras", 10}, ddim{"DDIM", "automatic", 10};
    for (const auto &[walk, at3, at8, calls] :
         {std::tuple(euler, 3, 8, 10), std::tuple(heun, 6, 16, 19), std::tuple(ddim, 3, 8, 9)}) {
        const auto all = static_cast<std::size_t>(calls);
        CHECK(callsOfBase(walk, 0.3, all, true) == at3);
        CHECK(callsOfBase(walk, 0.8, all, true) == at8);
        CHECK(callsOfBase(walk, 0, all, true) == 0);
        CHECK(callsOfBase(walk, 1, all, true) == calls);
    }
}

// Restart goes back up to noisier levels; the refiner stays.
SG_CASE(the_refiner_never_hands_back)
{
    const Walk walk{"Restart", "karras", 20};
    const auto alone = callsOf(walk, 1, 1, std::nullopt);
    const std::int64_t first = callsOfBase(walk, 0.9, alone.size());
    CHECK(first > 0 && first < static_cast<std::int64_t>(alone.size()));
}

SG_CASE(guidance_of_one_costs_one_row)
{
    for (const char *sampler : {"Euler", "LCM", "DDIM", "DPM++ SDE"})
        for (const std::int64_t batch : {1, 3}) {
            const auto plain = callsOf({sampler, "automatic", 4}, 1, batch, std::nullopt);
            const auto guided = callsOf({sampler, "automatic", 4}, 7.5, batch, std::nullopt);
            CHECK(!plain.empty() && plain.size() == guided.size());
            for (std::size_t i = 0; i < plain.size(); ++i)
                CHECK(plain[i].second == batch && guided[i].second == 2 * batch);
        }
}
