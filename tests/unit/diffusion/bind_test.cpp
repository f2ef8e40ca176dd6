#include "core/base/json.h"
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/matrix_kernels.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/vae/vae.h"
#include "core/modelfile/safetensors.h"
#include "tests/support/check.h"
#include "tests/support/key_lists.h"

#include <ATen/Parallel.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
const std::string kTiny = std::string(SG_SOURCE_DIR) + "/tests/parity/networks/sd1.safetensors";
const std::string kStarter = std::string(SG_SOURCE_DIR) + "/resources/starter/starter.safetensors";
const std::string kFirst = "model.diffusion_model.input_blocks.0.0.weight";

using Names = std::set<std::string>;

Names moduleNames(const torch::nn::Module &module, const std::string &prefix)
{
    Names names;
    for (const auto &entry : module.named_parameters())
        names.insert(prefix + entry.key());
    return names;
}

Names fileNames(const sg::TensorIndex &index, const std::string &prefix)
{
    Names names;
    for (const auto &[name, info] : index.tensors())
        if (name.starts_with(prefix) && !name.ends_with("position_ids")) names.insert(name);
    return names;
}

// Both ways: the file's names under each prefix are the module's, no more and no fewer; and the shapes are those
// that the layers declare.
void checkNames(const sg::TensorIndex &index, std::size_t unet, std::size_t vae, std::size_t text)
{
    const sg::CheckpointConfig config = sg::CheckpointConfig::detect(index);
    const auto check = [&](const torch::nn::Module &module, const std::string &prefix, std::size_t count) {
        const Names names = moduleNames(module, prefix);
        CHECK(names == fileNames(index, prefix));
        CHECK(names.size() == count);
        for (const auto &entry : module.named_modules()) {
            const auto *leaf = dynamic_cast<const sg::nn::Leaf *>(entry.value().get());
            if (!leaf) continue;
            for (const sg::nn::Leaf::Declared &one : leaf->declared())
                CHECK(index.find(prefix + entry.key() + "." + one.name)->shape == one.shape);
        }
    };
    check(*sg::UNet(config.unet), config.unetPrefix, unet);
    check(*sg::Vae(config.vae), config.vaePrefix, vae);
    CHECK(config.texts.size() == 1);
    check(*sg::ClipTextModel(config.texts[0].clip), config.texts[0].prefix, text);
}

// How many tensors of the module the file has under `prefix`, in the shapes that its layers declare; all, or it fails.
std::size_t checkShapes(const sg::TensorIndex &index, const torch::nn::Module &module, const std::string &prefix)
{
    std::size_t count = 0;
    for (const auto &entry : module.named_modules()) {
        const auto *leaf = dynamic_cast<const sg::nn::Leaf *>(entry.value().get());
        if (!leaf) continue;
        for (const sg::nn::Leaf::Declared &one : leaf->declared()) {
            const std::string name = prefix + (entry.key().empty() ? "" : entry.key() + ".") + one.name;
            const sg::TensorInfo *info = index.find(name);
            std::vector<std::int64_t> shape = info ? info->shape : std::vector<std::int64_t>{};
            if (shape != one.shape) sg::test::failed("shape", 0, name);
            ++count;
        }
    }
    return count;
}

std::string bytesOf(const fs::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// A copy of the tiny checkpoint in a folder of its own, with another header and `more` bytes at its end.
class Changed {
public:
    explicit Changed(const std::function<void(sg::Json &header, std::size_t dataBytes)> &change, std::size_t more = 0)
    {
        const std::string bytes = bytesOf(kTiny);
        std::uint64_t length = 0;
        for (int i = 7; i >= 0; --i)
            length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
        sg::Json header = sg::parseJson(std::string_view(bytes).substr(8, length)).value();
        change(header, bytes.size() - 8 - length);
        std::string text = header.dump();
        text.resize((text.size() + 7) / 8 * 8, ' ');  // as writers do, so that weights are aligned
        std::string folder = (fs::temp_directory_path() / "sg-bind-XXXXXX").string();
        if (!::mkdtemp(folder.data())) throw std::runtime_error("no temporary folder");
        m_path = fs::path(folder) / "changed.safetensors";
        std::ofstream out(m_path, std::ios::binary);
        for (int i = 0; i < 8; ++i)
            out.put(static_cast<char>(text.size() >> (8 * i) & 0xff));
        out << text << bytes.substr(8 + length) << std::string(more, '\0');
    }
    ~Changed() { fs::remove_all(m_path.parent_path()); }
    const fs::path &path() const { return m_path; }

private:
    fs::path m_path;
};

sg::Error errorOf(const std::function<void()> &action)
{
    try {
        action();
    } catch (const sg::Failure &failure) {
        return failure.error;
    }
    return {sg::ErrorCode::Internal, "no failure", {}};
}

sg::Error loadError(const fs::path &path)
{
    return errorOf([&] { sg::loadCheckpoint(path, torch::kCPU, torch::kFloat32); });
}

bool has(const std::string &text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

SG_CASE(namesOfSd15)
{
    const sg::TensorIndex index = sg::test::readKeyList(std::string(SG_TEST_DATA) + "/sd15_keys.txt");
    checkNames(index, 686, 248, 196);
    const sg::CheckpointConfig config = sg::CheckpointConfig::detect(index);
    CHECK(config.family == sg::BaseFamily::Sd1);
    CHECK(config.unet.width == 320 && config.unet.inChannels == 4 && config.unet.outChannels == 4);
    CHECK(config.unet.contextDim == 768 && config.unet.heads == 8 && !config.unet.linearProjection);
    CHECK(config.unet.inputs.size() == 11 && config.unet.outputs.size() == 12 && config.unet.middleDepth == 1);
    CHECK(config.unet.inputs[2].resample && config.unet.inputs[10].depth == 0 &&
          config.unet.inputs[10].channels == 1280);
    CHECK(config.unet.normGroups == 32 && config.vae.normGroups == 32 && config.texts[0].clip.heads == 12);
    CHECK(config.latentScale == 0.18215 && config.latentFactor == 8 && config.latentToRgb.size() == 4);
    CHECK(config.texts[0].clip.positions == 77 && config.prediction == sg::sampling::Prediction::Eps);
}

// The published checkpoints, at their real sizes: every name is a module's, with the shape that the module declares.
SG_CASE(namesOfTheOtherFamilies)
{
    struct Published {
        const char *name;
        std::size_t unet, texts, count;
        std::int64_t context, vector;
    };
    for (const Published &one : {Published{"sd2", 686, 1, 1227, 1024, 0}, Published{"sdxl", 1680, 2, 2513, 2048, 2816},
                                 Published{"sdxl-refiner", 1220, 1, 1857, 1280, 2560}}) {
        const sg::TensorIndex index = sg::test::readFamily(one.name);
        const sg::CheckpointConfig config = sg::CheckpointConfig::detect(index);
        CHECK(config.variant == one.name && config.texts.size() == one.texts);
        CHECK(config.unet.contextDim == one.context && config.unet.vectorDim == one.vector);
        CHECK(config.unet.heads == 0 && config.unet.headDim == 64 && config.latentFactor == 8);
        CHECK(one.vector == 0 || config.sizeDim == 256);
        CHECK(config.predictionUnsure == (config.variant == "sd2"));
        const std::size_t text = config.texts.back().prefix == "cond_stage_model.model." ? 1 : 0;  // text_projection
        std::size_t found = checkShapes(index, *sg::UNet(config.unet), config.unetPrefix);
        CHECK(found == one.unet);
        found += checkShapes(index, *sg::Vae(config.vae), config.vaePrefix);
        for (const sg::TextConfig &each : config.texts)
            found += checkShapes(index, *sg::ClipTextModel(each.clip), each.prefix);
        CHECK(found + text == index.tensors().size());
        CHECK(index.tensors().size() == one.count);
    }
}

SG_CASE(namesOfTinyNetworks)
{
    const auto index = sg::readSafetensors(kTiny);
    checkNames(*index, fileNames(*index, "model.diffusion_model.").size(),
               fileNames(*index, "first_stage_model.").size(), fileNames(*index, "cond_stage_model.").size());
}

SG_CASE(starterLoadsAndRuns)
{
    const auto model = sg::loadCheckpoint(kStarter, torch::kCPU, torch::kFloat32);
    CHECK(model->warnings.empty());
    CHECK(model->config.unet.heads == 8 && model->config.unet.normGroups == 8 && model->config.vae.normGroups == 4);
    CHECK(model->config.latentToRgb.size() == 5);
    CHECK(model->bytes > 15'000'000 && model->bytes < 30'000'000 && model->mapped > model->bytes * 9 / 10);
    CHECK(model->files.size() == 1);  // what is large waits there until it is used
    const torch::Tensor tokens = torch::full({1, 77}, 49407, torch::kLong);
    const torch::Tensor words = model->texts[0]->encode(tokens).rows;
    CHECK((words.sizes() == at::IntArrayRef{1, 77, 64}));
    const torch::Tensor noise = model->unet->forward(torch::ones({1, 4, 16, 16}), torch::tensor({999.f}), words);
    CHECK((noise.sizes() == at::IntArrayRef{1, 4, 16, 16}) && noise.isfinite().all().item<bool>());
    const torch::Tensor picture = model->vae->decode(torch::zeros({1, 4, 16, 16}));
    CHECK((picture.sizes() == at::IntArrayRef{1, 3, 128, 128}) && picture.isfinite().all().item<bool>());
    CHECK((model->vae->encode(picture).sizes() == at::IntArrayRef{1, 4, 16, 16}));
}

// Whoever waits for a step or a picture that takes minutes hears of each block.
SG_CASE(networksTellThatTheyGoOn)
{
    const auto model = sg::loadCheckpoint(kTiny, torch::kCPU, torch::kFloat32);
    int beats = 0;
    const auto beatsOf = [&](const auto &work) {
        const int before = beats;
        work();
        return beats - before;
    };
    const torch::Tensor words = model->texts[0]->encode(torch::zeros({1, 20}, torch::kLong)).rows;
    const torch::Tensor latent = torch::ones({1, 4, 8, 8});
    const auto denoise = [&] { (void)model->unet->forward(latent, torch::tensor({999.f}), words); };
    const auto decode = [&] { (void)model->vae->decode(latent); };
    {
        const sg::nn::Pulse::Scope pulse([&] { ++beats; });
        const sg::CheckpointConfig &config = model->config;
        CHECK(beatsOf(denoise) >= static_cast<int>(config.unet.inputs.size() + config.unet.outputs.size()));
        CHECK(beatsOf(decode) >= static_cast<int>(2 * config.vae.decoder.size()));
        CHECK(beatsOf([&] { (void)model->vae->encode(torch::zeros({1, 3, 64, 64})); }) >= 2);
        const sg::nn::Pulse::Scope other([] {});
        CHECK(beatsOf(decode) == 0);
    }
    CHECK(beatsOf(decode) == 0);
}

SG_CASE(float32LiesInTheFile)
{
    const auto index = sg::readSafetensors(kTiny);
    const auto file = *sg::nn::MappedFile::open(kTiny, index->identity());
    const sg::CheckpointConfig config = sg::CheckpointConfig::detect(*index);
    sg::ClipTextModel text(config.texts[0].clip);
    sg::nn::BindReport report;
    sg::nn::bind(*text, config.texts[0].prefix, {*index, {file}}, report);
    CHECK(report.mapped == report.bytes && report.mapped > 0);
    for (const torch::Tensor &parameter : text->parameters()) {
        const auto *place = static_cast<const std::byte *>(parameter.data_ptr());
        CHECK(place >= file->data() && place < file->data() + file->size());
    }
    const auto model = sg::loadCheckpoint(kTiny, torch::kCPU, torch::kFloat32);
    CHECK(model->files.size() == 1);
    model->requireUnchanged();
}

// Containers and dialects change nothing: torch files, old and new, and a diffusers folder with shards hold the same
// weights as the single file.
SG_CASE(everyContainerGivesTheSameWeights)
{
    const auto wanted = sg::loadCheckpoint(kTiny, torch::kCPU, torch::kFloat32);
    const std::string formats = std::string(SG_SOURCE_DIR) + "/tests/unit/diffusion/formats/";
    for (const char *name : {"zip.ckpt", "legacy.ckpt", "folder"}) {
        const auto given = sg::loadCheckpoint(formats + name, torch::kCPU, torch::kFloat32);
        CHECK(given->warnings.empty());
        CHECK(given->config.unet.heads == wanted->config.unet.heads && given->config.vae.normGroups == 2);
        CHECK(given->config.latentScale == wanted->config.latentScale && given->bytes == wanted->bytes);
        const auto same = [&](const torch::nn::Module &a, const torch::nn::Module &b) {
            const auto one = a.named_parameters(), other = b.named_parameters();
            CHECK(one.size() == other.size() && one.size() > 0);
            for (const auto &entry : one)
                if (!torch::equal(entry.value(), other[entry.key()]))
                    sg::test::failed(__FILE__, __LINE__, std::string(name) + ": " + entry.key() + " differs");
        };
        same(given->texts[0]->module(), wanted->texts[0]->module());
        same(*given->unet, *wanted->unet);
        same(*given->vae, *wanted->vae);
        given->requireUnchanged();
    }
}

// Parameters of `module` that lie in `file`; then all of them as float32, as somebody who edits them finds them.
std::size_t settleAll(torch::nn::Module &module, const sg::nn::MappedFile &file)
{
    std::size_t waiting = 0;
    for (const auto &entry : module.named_modules()) {
        auto *leaf = dynamic_cast<sg::nn::Leaf *>(entry.value().get());
        if (!leaf) continue;
        for (const sg::nn::Leaf::Declared &one : leaf->declared()) {
            const auto *place = static_cast<const std::byte *>(one.parameter.data_ptr());
            waiting += place >= file.data() && place < file.data() + file.size();
        }
        leaf->edit([](const std::vector<sg::nn::Leaf::Declared> &declared) {
            for (const sg::nn::Leaf::Declared &one : declared)
                CHECK(one.parameter.scalar_type() == torch::kFloat32 && one.parameter.sizes() == one.shape);
        });
    }
    return waiting;
}

// Large half precision weights wait in the file. What is computed is the same as with weights that were all converted
// first, at any size of picture.
SG_CASE(halfWeightsWaitInTheFile)
{
    const auto late = sg::loadCheckpoint(kStarter, torch::kCPU, torch::kFloat32);
    const auto early = sg::loadCheckpoint(kStarter, torch::kCPU, torch::kFloat32);
    CHECK(late->bytes == early->bytes);
    CHECK(settleAll(early->texts[0]->module(), *early->files.front()) > 0);
    CHECK(settleAll(*early->unet, *early->files.front()) > 50);
    CHECK(settleAll(*early->vae, *early->files.front()) > 20);
    CHECK(settleAll(*early->vae, *early->files.front()) == 0);
    const torch::Tensor tokens = torch::full({1, 77}, 49407, torch::kLong);
    const auto compare = [&](std::int64_t size) {
        const auto outputs = [&](sg::Checkpoint &model) {
            const torch::Tensor words = model.texts[0]->encode(tokens).rows, x = torch::ones({1, 4, size, size});
            const torch::Tensor noise = model.unet->forward(x, torch::tensor({9.f}), words);
            return torch::cat({words.flatten(), noise.flatten(), model.vae->decode(noise).flatten()});
        };
        CHECK(outputs(*late).equal(outputs(*early)));
    };
    for (const std::int64_t size : {16, 24, 16})
        compare(size);
    CHECK(settleAll(*late->vae, *late->files.front()) > 10);  // the encoder's were not needed
    const std::size_t waiting = settleAll(*late->unet, *late->files.front());
    CHECK(waiting > 50 || !sg::nn::kernels::available());  // what was used was not copied either
    compare(24);
}

SG_CASE(missingKeysAreNamed)
{
    const Changed file([](sg::Json &header, std::size_t) {
        header["model_ema.was_first"] = header[kFirst.substr(0, kFirst.size() - 6) + "bias"];
        header.erase(kFirst.substr(0, kFirst.size() - 6) + "bias");
    });
    const sg::Error error = loadError(file.path());
    CHECK(error.code == sg::ErrorCode::UnusableFile);
    CHECK(has(error.message, "1 of") && has(error.message, "input_blocks.0.0.bias"));
}

SG_CASE(onlyFiveMissingKeysAreNamed)
{
    const Changed file([](sg::Json &header, std::size_t) {
        for (int i = 0; i < 2; ++i)
            for (const std::string name : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"}) {
                const std::string key = "first_stage_model.encoder.down." + std::to_string(i) + ".block.0." + name;
                header["model_ema." + key] = header[key];
                header.erase(key);
            }
    });
    const sg::Error error = loadError(file.path());
    CHECK(has(error.message, "8 of") && has(error.message, "…"));
    CHECK(has(error.message, "down.0.block.0.norm2.bias") && !has(error.message, "down.1.block.0.norm2.bias"));
}

SG_CASE(unexpectedKeysAreListed)
{
    const auto add = [](const std::string &name) {
        return [name](sg::Json &header, std::size_t data) {
            header[name] = {{"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {data, data + 8}}};
        };
    };
    const Changed strange(add("model.diffusion_model.input_blocks.0.0.gamma"), 8);
    const auto other = sg::loadCheckpoint(strange.path(), torch::kCPU, torch::kFloat32);
    CHECK(other->warnings.size() == 1 && has(other->warnings.front(), "input_blocks.0.0.gamma"));
    CHECK(has(other->warnings.front(), "belong to no known network"));
    const Changed known(add("model_ema.decay"), 8);
    const auto model = sg::loadCheckpoint(known.path(), torch::kCPU, torch::kFloat32);
    CHECK(model->warnings.size() == 1 && has(model->warnings.front(), "model_ema.decay"));
}

SG_CASE(wrongShapesAreRefused)
{
    const Changed file([](sg::Json &header, std::size_t) {
        auto &shape = header["model.diffusion_model.time_embed.2.weight"]["shape"];
        shape = {shape[0].get<int>() / 2, shape[1].get<int>() * 2};
    });
    const sg::Error error = loadError(file.path());
    CHECK(error.code == sg::ErrorCode::UnusableFile && has(error.subject, "time_embed.2.weight"));
    CHECK(has(error.message, "[8, 32]") && has(error.message, "[16, 16]"));
}

SG_CASE(metadataIsChecked)
{
    for (const auto &[key, value] :
         std::vector<std::pair<std::string, std::string>>{{"serigraph.unet.heads", "3"},
                                                          {"serigraph.unet.heads", "0"},
                                                          {"serigraph.vae.norm_groups", "four"},
                                                          {"serigraph.latent.scale", "-1"},
                                                          {"serigraph.latent.to_rgb", "[[1,2,3]]"},
                                                          {"modelspec.prediction_type", "x0"}}) {
        const Changed file(
            [&key = key, &value = value](sg::Json &header, std::size_t) { header["__metadata__"][key] = value; });
        const sg::Error error = loadError(file.path());
        CHECK(error.code == sg::ErrorCode::UnusableFile);
        CHECK(error.subject == key);
    }
}

SG_CASE(changedFilesAreNoticed)
{
    const Changed file([](sg::Json &, std::size_t) {});
    const auto index = sg::readSafetensors(file.path());
    const auto map = *sg::nn::MappedFile::open(file.path(), index->identity());
    CHECK(map->unchanged());
    fs::resize_file(file.path(), fs::file_size(file.path()) - 4);
    CHECK(!map->unchanged());
    const auto late = sg::nn::MappedFile::open(file.path(), index->identity());
    CHECK(!late && late.error().code == sg::ErrorCode::ModelChanged);
    CHECK(loadError(file.path()).code == sg::ErrorCode::UnusableFile);  // read anew, it is just a short file
    CHECK(loadError("/no/such/file").code == sg::ErrorCode::NotFound);

    const Changed whole([](sg::Json &, std::size_t) {});
    const auto model = sg::loadCheckpoint(whole.path(), torch::kCPU, torch::kFloat32);
    CHECK(model->files.size() == 1);
    fs::last_write_time(whole.path(), fs::last_write_time(whole.path()) + std::chrono::seconds(2));
    CHECK(errorOf([&] { model->requireUnchanged(); }).code == sg::ErrorCode::ModelChanged);
}

SG_CASE(loadingCanBeCancelled)
{
    std::stop_source stop;
    stop.request_stop();
    const sg::Error error = errorOf([&] { sg::loadCheckpoint(kTiny, torch::kCPU, torch::kFloat32, stop.get_token()); });
    CHECK(error.code == sg::ErrorCode::Cancelled);
}

}  // namespace

int main(int count, char **names)
{
    at::set_num_threads(1);
    const torch::InferenceMode guard;
    return sg::test::runCases(count, names);
}
