#include "core/diffusion/nn/bind.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "tests/parity/networks/parity_check.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <string>

// Our networks against diffusers' and transformers', on the same tiny random weights (tests/parity/make_networks.py),
// and whether the comparison would notice 1 % more of any one weight tensor.
namespace {

using sg::test::checkParity;
using sg::test::relativeError;
constexpr double kTolerance = sg::test::kParityTolerance;
const std::string kData = SG_PARITY_DATA;

std::shared_ptr<sg::Checkpoint> loadSd1()
{
    try {
        return sg::loadCheckpoint(kData + "/sd1.safetensors", torch::kCPU, torch::kFloat32);
    } catch (const sg::Failure &failure) {
        throw std::runtime_error(failure.error.subject + ": " + failure.error.message);
    }
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
    sg::TextEncoder &text = *model->texts.at(0);
    checkParity("text encoder", text.module(), [&] {
        return std::max(relativeError(text.encode(io.at("text.tokens")).rows, io.at("text.last")),
                        relativeError(text.encode(io.at("text.tokens"), 2).rows, io.at("text.skip2")));
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
