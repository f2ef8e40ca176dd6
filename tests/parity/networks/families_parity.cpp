// The families beyond Stable Diffusion 1 against diffusers and transformers (tests/parity/make_families.py made the
// data): their networks, whole pictures of two of them, and what is told from the header.
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/pipeline/sampling_pass.h"
#include "core/diffusion/pipeline/text_to_image.h"
#include "core/diffusion/pipeline/vector_conditioning.h"
#include "core/diffusion/vae/taesd.h"
#include "core/modelfile/safetensors.h"
#include "tests/parity/networks/parity_check.h"
#include "tests/support/check.h"
#include "tests/support/filled_checkpoint.h"
#include "tests/support/tensor_file.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

using namespace sg;
using test::FilledCheckpoint;
using test::relativeError;

const std::string kData = SG_PARITY_DATA;
const std::vector<FilledCheckpoint::Table> kSd2Tables{{"cond_stage_model.model.token_embedding.weight", 8}};
const std::vector<FilledCheckpoint::Table> kSdxlTables{
    {"conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight", 8},
    {"conditioner.embedders.1.model.token_embedding.weight", 12}};

constexpr double kTolerance = 2e-5;

void checkParity(const char *what, torch::nn::Module &module, const test::ParityError &error,
                 const std::vector<std::string> &unread = {})
{
    test::checkParity(what, module, error, unread, kTolerance);
}

std::shared_ptr<Checkpoint> load(const std::filesystem::path &path)
{
    try {
        return loadCheckpoint(path, torch::kCPU, torch::kFloat32);
    } catch (const Failure &failure) {
        throw std::runtime_error(failure.error.subject + ": " + failure.error.message);
    }
}

Error loadError(const std::filesystem::path &path)
{
    try {
        loadCheckpoint(path, torch::kCPU, torch::kFloat32);
    } catch (const Failure &failure) {
        return failure.error;
    }
    return {ErrorCode::Internal, "no failure", {}};
}

bool has(const std::vector<std::string> &texts, std::string_view part)
{
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string &text) { return text.find(part) != std::string::npos; });
}

Checkpoint &sd2()
{
    static const FilledCheckpoint file(kData + "/sd2.safetensors", kSd2Tables);
    static const std::shared_ptr<Checkpoint> model = load(file.path());
    return *model;
}

Checkpoint &sdxl()
{
    static const FilledCheckpoint file(kData + "/sdxl.safetensors", kSdxlTables);
    static const std::shared_ptr<Checkpoint> model = load(file.path());
    return *model;
}

double textError(Checkpoint &model, const test::TensorFile &io, std::size_t n)
{
    const std::string key = "text" + std::to_string(n) + ".";
    const EncodedText made = model.texts.at(n)->encode(io.at(key + "tokens"));
    double worst = relativeError(made.rows, io.at(key + "rows"));
    CHECK(made.pooled.defined() == io.all().contains(key + "pooled"));
    if (made.pooled.defined()) worst = std::max(worst, relativeError(made.pooled, io.at(key + "pooled")));
    return worst;
}

double unetError(UNet unet, const test::TensorFile &io, const torch::Tensor &vector = {})
{
    return relativeError(unet->forward(io.at("unet.x0"), io.at("unet.t0"), io.at("unet.context0"), vector),
                         io.at("unet.y0"));
}

/// The vector of a file's io from its pooled rows and its sizes.
torch::Tensor vectorOf(CheckpointConfig config, const test::TensorFile &io)
{
    const auto size = [&](std::int64_t n) { return io.at("unet.sizes")[n].item<double>(); };
    const auto whole = [&](std::int64_t n) { return static_cast<std::int64_t>(size(n)); };
    PictureSizes sizes{whole(0), whole(1), whole(2), whole(3), 0, 0, 0};
    if (config.sizes == SizeNumbers::Aesthetic)
        sizes.aestheticScore = size(4);
    else
        std::tie(sizes.targetHeight, sizes.targetWidth) = std::pair(whole(4), whole(5));
    return vectorConditioning(config, io.at("unet.pooled0"), sizes, torch::kFloat);
}

/// A UNet alone, of a file that holds nothing else.
UNet bareUnet(const std::string &path)
{
    const auto index = readSafetensors(path);
    const auto file = nn::MappedFile::open(index->path(), index->identity());
    UNet unet(UNetConfig::detect(*index, "model.diffusion_model."));
    nn::BindReport report;
    nn::bind(*unet, "model.diffusion_model.", {*index, {*file}}, report);
    CHECK(nn::unusedKeys(*index, report).warnings().empty());
    return unet;
}

class OnePicture final : public GenerationSink {
public:
    void progress(const StepProgress &) override {}
    bool previewDue() override { return false; }
    void preview(std::int64_t, std::int64_t, Image) override {}
    void image(std::int64_t, Image picture) override { made = std::move(picture); }
    Image made;
};

GenerationRequest request(const char *negative)
{
    GenerationRequest made;
    made.prompt = "a (red:1.3) star on a hill";
    made.negativePrompt = negative;
    made.sampler = "Euler";
    made.schedule = "automatic";
    made.steps = 4;
    made.cfgScale = 4;
    made.seed = 5;
    made.subseed = 0;
    made.height = 24;
    made.width = 32;
    return made;
}

Image draw(Checkpoint &model, const GenerationRequest &wanted)
{
    Conditioner conditioner;
    OnePicture sink;
    textToImage(model, conditioner, wanted, sink, {});
    return sink.made;
}

int pictureError(const Image &made, const torch::Tensor &pictures)
{
    const torch::Tensor expected = pictures[0].contiguous();
    if (made.height != expected.size(0) || made.width != expected.size(1) || made.channels != 3) return 255;
    int worst = 0;
    for (std::size_t i = 0; i < made.pixels.size(); ++i)
        worst = std::max(worst, std::abs(made.pixels[i] - expected.data_ptr<std::uint8_t>()[i]));
    return worst;
}

}  // namespace

SG_CASE(sd2IsTold)
{
    const CheckpointConfig &config = sd2().config;
    CHECK(config.family == BaseFamily::Sd2 && config.variant == "sd2");
    CHECK(config.prediction == sampling::Prediction::V && !config.predictionUnsure);
    CHECK(config.latentScale == 0.18215 && config.sizes == SizeNumbers::None && !config.emptyNegativeIsZero);
    CHECK(has(config.reasons, "OpenCLIP under cond_stage_model.model"));
    CHECK(has(config.reasons, "v prediction: metadata modelspec.prediction_type"));
    CHECK(config.unet.heads == 0 && config.unet.headDim == 2 && config.unet.linearProjection);
}

SG_CASE(sd2TextEncoder)
{
    const test::TensorFile io(kData + "/sd2_io.safetensors");
    checkParity("ViT-H", sd2().texts[0]->module(), [&] { return textError(sd2(), io, 0); }, {"resblocks.2."});
}

SG_CASE(sd2Unet)
{
    const test::TensorFile io(kData + "/sd2_io.safetensors");
    checkParity("UNet, SD2", *sd2().unet, [&] { return unetError(sd2().unet, io); });
}

SG_CASE(sd2Picture)
{
    const test::TensorFile io(kData + "/sd2_io.safetensors");
    const int error = pictureError(draw(sd2(), request("blue")), io.at("picture"));
    std::printf("     whole picture: %d of 255\n", error);
    CHECK(error <= 2);
}

SG_CASE(sdxlIsTold)
{
    const CheckpointConfig &config = sdxl().config;
    CHECK(config.family == BaseFamily::Sdxl && config.variant == "sdxl");
    CHECK(config.prediction == sampling::Prediction::Eps && config.latentScale == 0.13025);
    CHECK(config.sizes == SizeNumbers::Sizes && config.sizeDim == 4 && config.contextDim == 20);
    CHECK(config.emptyNegativeIsZero && !config.fileAlphas && !config.zeroTerminalSnr);
    CHECK(has(config.reasons, "label_emb takes 34"));
}

SG_CASE(sdxlTextEncoders)
{
    const test::TensorFile io(kData + "/sdxl_io.safetensors");
    checkParity("ViT-L", sdxl().texts[0]->module(), [&] { return textError(sdxl(), io, 0); },
                {"layers.2.", "final_layer_norm"});
    checkParity("bigG", sdxl().texts[1]->module(), [&] { return textError(sdxl(), io, 1); });
}

SG_CASE(sdxlUnet)
{
    const test::TensorFile io(kData + "/sdxl_io.safetensors");
    const torch::Tensor vector = vectorOf(sdxl().config, io);
    checkParity("UNet, SDXL", *sdxl().unet, [&] { return unetError(sdxl().unet, io, vector); });
}

SG_CASE(sdxlPicture)
{
    const test::TensorFile io(kData + "/sdxl_io.safetensors");
    const int error = pictureError(draw(sdxl(), request("")), io.at("picture"));
    std::printf("     whole picture: %d of 255\n", error);
    CHECK(error <= 2);
}

SG_CASE(refinerUnet)
{
    const test::TensorFile io(kData + "/refiner_io.safetensors");
    UNet unet = bareUnet(kData + "/refiner.safetensors");
    CheckpointConfig config;
    config.sizes = SizeNumbers::Aesthetic;
    config.sizeDim = 4;
    const torch::Tensor vector = vectorOf(config, io);
    CHECK(unet->config().vectorDim == 30 && unet->config().middleDepth == 2);
    checkParity("UNet, refiner", *unet, [&] { return unetError(unet, io, vector); });
}

SG_CASE(unetsThatSeePictures)
{
    for (const auto &[name, channels] : {std::pair("inpaint", 9), {"edit", 8}}) {
        const test::TensorFile io(kData + "/" + name + "_io.safetensors");
        UNet unet = bareUnet(kData + "/" + name + ".safetensors");
        CHECK(unet->config().inChannels == channels);
        checkParity(name, *unet, [&] { return unetError(unet, io); });
    }
}

// Brooks et al. 2022, arXiv:2211.09800, equation 3, written out over the network, which the case above compares.
SG_CASE(pictureGuidanceOfEditing)
{
    Checkpoint model;
    model.unet = bareUnet(kData + "/edit.safetensors");
    model.config.imageInput = ImageInput::Edit;
    model.config.unet = model.unet->config();
    const torch::Tensor x = torch::randn({1, 4, 8, 8}) * 3, picture = torch::randn({1, 4, 8, 8});
    const std::int64_t width = model.config.unet.contextDim;
    const torch::Tensor wanted = torch::randn({1, 77, width}), unwanted = torch::randn({1, 77, width});
    const double words = 5, image = 1.7;
    const auto levels = model.levels();
    SamplingPass pass(model, {.sampler = "Euler", .schedule = "uniform", .steps = 1}, {});
    pass.setConcat(picture);
    const auto drawn = [&](double imageScale) {
        pass.setImageScale(imageScale);
        const sampling::Guidance guidance{sampling::Conditioning{wanted, {}, {}},
                                          sampling::Conditioning{unwanted, {}, {}}, words};
        return pass.run(guidance, {}, x / levels.sigmaMax(), {}, {});
    };
    const float sigma = levels.sigmaMax();
    const auto said = [&](const torch::Tensor &context, const torch::Tensor &seen) {
        return model.predict(x / std::sqrt(sigma * sigma + 1), torch::full({1}, levels.sigmaToT(sigma)),
                             {context, {}, seen});
    };
    const torch::Tensor neither = said(unwanted, torch::zeros_like(picture)), one = said(unwanted, picture),
                        both = said(wanted, picture);
    // Guidance multiplies the network's rounding, which is another in a batch: 2e-6 to 1e-5 with these random inputs.
    CHECK(relativeError(drawn(image), x - sigma * (neither + words * (both - one) + image * (one - neither))) < 5e-5);
    CHECK(relativeError(drawn(1), x - sigma * (one + words * (both - one))) < 5e-5);
    CHECK(relativeError(drawn(image), drawn(1)) > 1e-2);
}

SG_CASE(taesd)
{
    const test::TensorFile io(kData + "/taesd_io.safetensors");
    Taesd tiny = loadTaesd(kData + "/taesd.safetensors", torch::kCPU, torch::kFloat32);
    CHECK(tiny->config().factor() == 8 && tiny->config().latentChannels() == 4);
    checkParity("TAESD", *tiny, [&] {
        return std::max(relativeError(tiny->encode(io.at("picture")), io.at("encoded")),
                        relativeError(tiny->decode(io.at("latent")), io.at("decoded")));
    });
}

// One half alone, as they are published, with and without a prefix; and the names of diffusers.
SG_CASE(halvesOfTaesd)
{
    const test::TensorFile io(kData + "/taesd_io.safetensors");
    const auto renamed = [](const std::string &from, const std::string &to, std::int64_t shift) {
        return [=](Json &header, std::string &) {
            Json kept = Json::object();
            for (const auto &[key, value] : header.items()) {
                const bool own = key.starts_with(from);
                const std::size_t dot = own ? key.find('.', from.size()) : 0;
                kept[own ? to + std::to_string(std::stoll(key.substr(from.size(), dot - from.size())) + shift) +
                               key.substr(dot)
                         : "other." + key] = value;
            }
            header = kept;
        };
    };
    for (const auto &[prefix, shift] : {std::pair("", 0), {"decoder.", 0}, {"decoder.layers.", -1}}) {
        const FilledCheckpoint file(kData + "/taesd.safetensors", {}, renamed("taesd_decoder.", prefix, shift));
        Taesd tiny = loadTaesd(file.path(), torch::kCPU, torch::kFloat32);
        CHECK(!tiny->encoder() && tiny->config().factor() == 8);
        CHECK(relativeError(tiny->decode(io.at("latent")), io.at("decoded")) <= kTolerance);
        bool refused = false;
        try {
            tiny->encode(io.at("picture"));
        } catch (const Failure &failure) {
            refused = failure.error.message.find("has no encoder") != std::string::npos;
        }
        CHECK(refused);
    }
    const FilledCheckpoint file(kData + "/taesd.safetensors", {}, renamed("taesd_encoder.", "", 0));
    Taesd tiny = loadTaesd(file.path(), torch::kCPU, torch::kFloat32);
    CHECK(!tiny->decoder());
    CHECK(relativeError(tiny->encode(io.at("picture")), io.at("encoded")) <= kTolerance);
}

// SD2's files seldom say what they predict: the sidecar does, or the network is asked.
SG_CASE(predictionOfSd2)
{
    const auto silent = [](Json &header, std::string &) { header["__metadata__"].erase("modelspec.prediction_type"); };
    const FilledCheckpoint file(kData + "/sd2.safetensors", kSd2Tables, silent);
    const std::shared_ptr<Checkpoint> asked = load(file.path());
    CHECK(asked->config.predictionUnsure && asked->config.prediction == sampling::Prediction::Eps);
    CHECK(has(asked->config.reasons, "epsilon prediction: the network moved a grey picture by"));

    std::filesystem::path beside = file.path();
    beside.replace_extension(".yaml");
    std::ofstream(beside) << "model: {params: {parameterization: v, unet_config: {params: {context_dim: 8}}}}";
    const std::shared_ptr<Checkpoint> told = load(file.path());
    CHECK(!told->config.predictionUnsure && told->config.prediction == sampling::Prediction::V);
    CHECK(has(told->config.reasons, "v prediction: the .yaml beside it"));
    std::ofstream(beside) << "model: {params: {unet_config: {params: {context_dim: 9, num_head_channels: 3}}}}";
    CHECK(has(load(file.path())->config.reasons, "says words of width 9"));
    std::ofstream(beside) << "model: {params: {unet_config: {params: {num_heads: 3}}}}";
    CHECK(load(file.path())->config.unet.heads == 0);  // the file's own metadata count
    std::ofstream(beside) << "model: [";
    CHECK(loadError(file.path()).message.find("no YAML") != std::string::npos);
}

// A network whose answer lies far below what it is shown predicts v.
SG_CASE(askedNetworks)
{
    const FilledCheckpoint file(kData + "/sd2.safetensors", kSd2Tables, [](Json &header, std::string &data) {
        header["__metadata__"].erase("modelspec.prediction_type");
        const auto begin = header["model.diffusion_model.out.2.bias"]["data_offsets"][0].get<std::size_t>();
        for (std::size_t i = 0; i < 4; ++i)
            data.replace(begin + 2 * i, 2, std::string("\0\xc8", 2));  // -8 in half precision
    });
    const std::shared_ptr<Checkpoint> asked = load(file.path());
    CHECK(asked->config.prediction == sampling::Prediction::V);
    CHECK(has(asked->config.reasons, "v prediction: the network moved a grey picture by -"));
}

// Half of a family, or a relative of one: a clear error each.
SG_CASE(halfFamiliesAreRefused)
{
    const FilledCheckpoint half(kData + "/sdxl.safetensors", {kSdxlTables[0]}, [](Json &header, std::string &) {
        Json kept = Json::object();
        for (const auto &[key, value] : header.items())
            kept[key.starts_with("conditioner.embedders.1.") ? "model_ema." + key : key] = value;
        header = kept;
    });
    const Error error = loadError(half.path());
    CHECK(error.code == ErrorCode::UnusableFile);
    CHECK(error.message.find("half of a Stable Diffusion XL checkpoint") != std::string::npos);
    CHECK(error.message.find("conditioner.embedders.1.model.") != std::string::npos);
    for (const auto &[key, why] : {std::pair("edm_mean", "Playground"), {"edm_vpred.sigma_max", "CosXL"}}) {
        const FilledCheckpoint relative(kData + "/sdxl.safetensors", kSdxlTables,
                                        [&key = key](Json &header, std::string &) {
                                            header[key] = {{"dtype", "U8"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
                                        });
        CHECK(loadError(relative.path()).message.find(why) != std::string::npos);
    }
}

// Keys and metadata that no shape replaces.
SG_CASE(markedSdxl)
{
    const FilledCheckpoint keys(kData + "/sdxl.safetensors", kSdxlTables, [](Json &header, std::string &) {
        for (const char *key : {"v_pred", "ztsnr"})
            header[key] = {{"dtype", "U8"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
    });
    const std::shared_ptr<Checkpoint> model = load(keys.path());
    CHECK(model->config.prediction == sampling::Prediction::V && model->config.zeroTerminalSnr);
    CHECK(has(model->config.reasons, "v prediction: key v_pred"));
    CHECK(has(model->config.reasons, "zero terminal SNR: key ztsnr"));
    CHECK(model->warnings.empty());
    CHECK_NEAR(model->levels().sigmaMax(), 4518.8, 0.5);
    CHECK(draw(*model, request("")).width == 32);  // finite, or it throws
    const FilledCheckpoint metadata(kData + "/sdxl.safetensors", kSdxlTables, [](Json &header, std::string &) {
        header["__metadata__"]["modelspec.prediction_type"] = "epsilon";
        header["__metadata__"]["ss_zero_terminal_snr"] = "True";
    });
    CHECK(load(metadata.path())->config.prediction == sampling::Prediction::Eps);
    CHECK(load(metadata.path())->config.zeroTerminalSnr);
}
