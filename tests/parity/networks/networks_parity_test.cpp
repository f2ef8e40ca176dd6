#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <functional>
#include <string>

// Our networks against diffusers' and transformers', on the same tiny random weights (tests/parity/make_networks.py),
// and whether the comparison would notice 1 % more of any one weight tensor.
namespace {

using sg::test::relativeError;
using Error = std::function<double()>;  // max|ours - theirs| / max|theirs|, the largest over all outputs

constexpr double kTolerance = 1e-4;
const std::string kData = SG_PARITY_DATA;

// Softmax does not change when all of a row grow by the same, which is what a bias of the keys does.
bool isInvisible(const std::string &name)
{
    return name.ends_with("self_attn.k_proj.bias") || name.ends_with("mid.attn_1.k.bias");
}

std::shared_ptr<sg::Checkpoint> loadSd1()
{
    try {
        return sg::loadCheckpoint(kData + "/sd1.safetensors", torch::kCPU, torch::kFloat32);
    } catch (const sg::Failure &failure) {
        throw std::runtime_error(failure.error.subject + ": " + failure.error.message);
    }
}

void scaleOne(sg::nn::Leaf &leaf, std::size_t which, double factor)
{
    leaf.edit([&](const std::vector<sg::nn::Leaf::Declared> &weights) { weights[which].parameter.mul_(factor); });
}

void checkParity(const char *what, torch::nn::Module &module, const Error &error)
{
    const double plain = error();
    std::printf("     %s: %.1e\n", what, plain);
    CHECK(plain <= kTolerance);
    std::size_t seen = 0;
    for (const auto &entry : module.named_modules()) {
        auto *leaf = dynamic_cast<sg::nn::Leaf *>(entry.value().get());
        if (!leaf) continue;
        for (std::size_t i = 0; i < leaf->declared().size(); ++i) {
            const std::string name = entry.key() + "." + leaf->declared()[i].name;
            scaleOne(*leaf, i, 1.01);
            const bool noticed = error() > kTolerance;
            scaleOne(*leaf, i, 1 / 1.01);
            if (noticed == isInvisible(name)) sg::test::failed(what, 0, "1 % more of " + name + " goes unnoticed");
            ++seen;
        }
    }
    CHECK(seen == module.parameters().size());
    CHECK(seen > 30);
    CHECK_NEAR(error(), plain, 1e-5);  // the edits were taken back
}

// All inputs "unet.x0", "unet.x1" … of a file.
double unetError(sg::UNet &unet, const sg::test::TensorFile &io)
{
    double worst = 0;
    for (int n = 0; io.all().contains("unet.x" + std::to_string(n)); ++n) {
        const auto get = [&](const char *what) { return io.at(std::string("unet.") + what + std::to_string(n)); };
        worst = std::max(worst, relativeError(unet->forward(get("x"), get("t"), get("context")), get("y")));
    }
    return worst;
}

SG_CASE(textEncoder)
{
    const auto model = loadSd1();
    const sg::test::TensorFile io(kData + "/sd1_io.safetensors");
    checkParity("text encoder", *model->text, [&] {
        return std::max(relativeError(model->text->forward(io.at("text.tokens")), io.at("text.last")),
                        relativeError(model->text->forward(io.at("text.tokens"), 2), io.at("text.skip2")));
    });
}

SG_CASE(unetSd1)
{
    const auto model = loadSd1();
    const sg::test::TensorFile io(kData + "/sd1_io.safetensors");
    checkParity("UNet", *model->unet, [&] { return unetError(model->unet, io); });
}

SG_CASE(unetWithMatrices)
{
    const auto index = sg::readSafetensors(kData + "/linear.safetensors");
    const auto file = sg::nn::MappedFile::open(index->path(), index->identity());
    const std::string prefix = "model.diffusion_model.";
    sg::UNet unet(sg::UNetConfig::detect(*index, prefix));
    CHECK(unet->config().linearProjection);
    CHECK(unet->config().middleDepth == 1);
    sg::nn::BindReport report;
    sg::nn::bind(*unet, prefix, {*index, {*file}}, report);
    CHECK(sg::nn::unusedKeys(*index, report).warnings().empty());
    const sg::test::TensorFile io(kData + "/linear_io.safetensors");
    checkParity("UNet with matrices", *unet, [&] { return unetError(unet, io); });
}

SG_CASE(vae)
{
    const auto model = loadSd1();
    const sg::test::TensorFile io(kData + "/sd1_io.safetensors");
    CHECK(model->config.latentScale == 0.5);
    checkParity("autoencoder", *model->vae, [&] {
        return std::max(relativeError(model->vae->moments(io.at("vae.picture")), io.at("vae.moments")),
                        relativeError(model->vae->decode(io.at("vae.latent")), io.at("vae.decoded")));
    });
    const torch::Tensor mean = io.at("vae.moments").narrow(1, 0, 4) * 0.5;
    CHECK(relativeError(model->vae->encode(io.at("vae.picture")), mean) <= kTolerance);
}

// One timestep for the whole batch is folded into a bias, several are added: both must be the same network.
SG_CASE(timestepsOfABatch)
{
    const auto model = loadSd1();
    const sg::test::TensorFile io(kData + "/sd1_io.safetensors");
    const torch::Tensor x = io.at("unet.x0"), context = io.at("unet.context0");
    const torch::Tensor both = model->unet->forward(x, io.at("unet.t0"), context);
    for (std::int64_t i = 0; i < 2; ++i) {
        const auto row = [i](const torch::Tensor &t) { return t.narrow(0, i, 1); };
        CHECK(relativeError(row(both), model->unet->forward(row(x), row(io.at("unet.t0")), row(context))) <= 1e-5);
    }
}

}  // namespace

int main(int count, char **names)
{
    at::set_num_threads(1);  // tiny tensors: more threads only wait for each other
    const torch::InferenceMode guard;
    return sg::test::runCases(count, names);
}
