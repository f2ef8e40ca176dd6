#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/nn/wrap.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/upscale/upscaler.h"
#include "core/diffusion/upscale/upscaler_bytes.h"
#include "core/diffusion/vae/taesd.h"
#include "core/diffusion/vae/vae.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/safetensors.h"
#include "tests/parity/networks/parity_check.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstring>
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
    auto &vae = dynamic_cast<sg::VaeImpl &>(*model->vae);
    checkParity("autoencoder", vae, [&] {
        return std::max(relativeError(vae.moments(io.at("vae.picture")), io.at("vae.moments")),
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

// Convolutions that pad with the other side (tests/parity/make_seamless.py).
struct Seamless {
    const char *axis;
    sg::nn::Wrap wrap;
};
constexpr Seamless kSeamless[] = {{"both", {true, true}}, {"across", {true, false}}, {"down", {false, true}}};

sg::UNet linearUnet()
{
    const auto index = sg::readSafetensors(kData + "/linear.safetensors");
    const auto file = sg::nn::MappedFile::open(index->path(), index->identity());
    const std::string prefix = "model.diffusion_model.";
    sg::UNet unet(sg::UNetConfig::detect(*index, prefix));
    sg::nn::BindReport report;
    sg::nn::bind(*unet, prefix, {*index, {*file}}, report);
    return unet;
}

SG_CASE(seamlessNetworks)
{
    const sg::test::TensorFile io(kData + "/seamless_io.safetensors"), sd1(kData + "/sd1_io.safetensors"),
        linear(kData + "/linear_io.safetensors"), tiny(kData + "/taesd_io.safetensors");
    const auto model = loadSd1();
    auto &vae = dynamic_cast<sg::VaeImpl &>(*model->vae);
    sg::Taesd taesd = sg::loadTaesd(kData + "/taesd.safetensors", torch::kCPU, torch::kFloat32);
    sg::UNet other = linearUnet();
    const torch::Tensor plain = vae.decode(sd1.at("vae.latent"));
    for (const Seamless &one : kSeamless) {
        const sg::nn::WrapScope scope(one.wrap);
        const auto wanted = [&](const std::string &what) { return io.at(what + "." + one.axis); };
        for (int n = 0; n < 2; ++n) {
            const auto unetOf = [&](sg::UNet &unet, const sg::test::TensorFile &given) {
                const auto get = [&](const char *what) {
                    return given.at(std::string("unet.") + what + std::to_string(n));
                };
                return unet->forward(get("x"), get("t"), get("context"));
            };
            CHECK(relativeError(unetOf(model->unet, sd1), wanted("unet.y" + std::to_string(n))) <= kTolerance);
            CHECK(relativeError(unetOf(other, linear), wanted("linear.y" + std::to_string(n))) <= kTolerance);
        }
        CHECK(relativeError(vae.decode(sd1.at("vae.latent")), wanted("vae.decoded")) <= kTolerance);
        CHECK(relativeError(vae.moments(sd1.at("vae.picture")), wanted("vae.moments")) <= kTolerance);
        CHECK(relativeError(taesd->decode(tiny.at("latent")), wanted("taesd.decoded")) <= kTolerance);
        CHECK(relativeError(taesd->encode(tiny.at("picture")), wanted("taesd.encoded")) <= kTolerance);
        CHECK(relativeError(vae.decode(sd1.at("vae.latent")), plain) > 0.01);
    }
    CHECK(vae.decode(sd1.at("vae.latent")).equal(plain));
}

// A picture that is rolled around is drawn rolled around, along the edges that meet and only there.
SG_CASE(seamlessNetworksRoll)
{
    const sg::test::TensorFile sd1(kData + "/sd1_io.safetensors");
    const auto model = loadSd1();
    const torch::Tensor x = at::randn({1, 4, 8, 12}), latent = at::randn({1, 4, 6, 7});
    const auto drawn = [&](const torch::Tensor &of) {
        return model->unet->forward(of, torch::full({1}, 500.f), sd1.at("unet.context0").narrow(0, 0, 1));
    };
    for (const Seamless &one : kSeamless) {
        const sg::nn::WrapScope scope(one.wrap);
        for (const auto &[dimension, wraps] : {std::pair(2, one.wrap.down), std::pair(3, one.wrap.across)}) {
            const auto rolls = [&, axis = dimension](const torch::Tensor &a, const torch::Tensor &b, std::int64_t by) {
                return relativeError(a.roll(by, axis), b) < 1e-4;
            };
            CHECK(rolls(drawn(x), drawn(x.roll(4, dimension)), 4) == wraps);  // what the UNet halves twice
            const auto decoded = [&](const torch::Tensor &of) { return model->vae->decode(of); };
            CHECK(rolls(decoded(latent), decoded(latent.roll(1, dimension)), 4) == wraps);
        }
    }
}

// spandrel's upscalers in each layout of names (tests/parity/make_upscalers.py).
struct UpscalerCase {
    const char *file;
    std::int64_t scale, blocks, shuffle;
    std::size_t tensors;
};
constexpr UpscalerCase kUpscalers[] = {{"old4.safetensors", 4, 2, 1, 72}, {"old8.safetensors", 8, 1, 1, 44},
                                       {"old1.safetensors", 1, 1, 1, 38}, {"new4.pth", 4, 1, 1, 42},
                                       {"new2.pth", 2, 1, 2, 42},         {"bsrgan4.safetensors", 4, 1, 1, 42},
                                       {"compact2.pth", 2, 2, 1, 11},     {"compact3.safetensors", 3, 1, 1, 8}};

SG_CASE(upscalers)
{
    const sg::test::TensorFile io(kData + "/upscalers_io.safetensors");
    for (const UpscalerCase &one : kUpscalers) {
        const auto read = sg::readModelFile(kData + "/upscaler_" + one.file);
        const auto file = sg::readUpscaler(*read);
        if (!file) throw std::runtime_error(std::string(one.file) + ": " + file.error().message);
        CHECK(file->config.scale == one.scale && file->config.blocks == one.blocks);
        CHECK(file->config.shuffle == one.shuffle);
        const auto mapped = sg::nn::MappedFile::open(file->index.path(), file->index.identity());
        const auto network = sg::makeUpscalerNetwork(file->config);
        sg::nn::BindReport report;
        sg::nn::bind(*network, "", {file->index, {*mapped}}, report);
        CHECK(report.used.size() == one.tensors);
        const std::string name = std::string(one.file).substr(0, std::string(one.file).find('.'));
        const torch::Tensor x = io.at(name + ".x"), y = io.at(name + ".y");
        checkParity(
            one.file, *network, [&] { return relativeError(network->forward(x), y); }, {}, kTolerance, one.tensors);
    }
}

// A sign of life before every block, and the end of the work at any of them.
SG_CASE(upscalersBeat)
{
    for (const auto &[name, blocks] : {std::pair("old4.safetensors", 2 + 2 + 2), {"compact2.pth", 3}}) {
        const auto file = sg::readUpscaler(*sg::readModelFile(kData + "/upscaler_" + name));
        const auto network = sg::makeUpscalerNetwork(file->config);
        const auto mapped = sg::nn::MappedFile::open(file->index.path(), file->index.identity());
        sg::nn::BindReport report;
        sg::nn::bind(*network, "", {file->index, {*mapped}}, report);
        const torch::Tensor x = at::rand({1, 3, 8, 8});
        int beats = 0;
        std::stop_source stop;
        {
            const sg::nn::Pulse::Scope pulse([&] { ++beats; });
            network->forward(x, stop.get_token());
        }
        CHECK(beats == blocks);
        for (int last = 1; last <= blocks; ++last) {
            std::stop_source asked;
            int seen = 0;
            const sg::nn::Pulse::Scope pulse([&, wanted = last] {
                if (++seen == wanted) asked.request_stop();
            });
            try {
                network->forward(x, asked.get_token());
                CHECK(false);
            } catch (const sg::Failure &failure) {
                CHECK(failure.error.code == sg::ErrorCode::Cancelled && seen == last);
            }
        }
    }
}

sg::Image imageOf(const torch::Tensor &bytes)
{
    sg::Image image(static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)), 3);
    std::memcpy(image.pixels.data(), bytes.data_ptr(), image.pixels.size());
    return image;
}

SG_CASE(upscalersOfBytes)
{
    const sg::test::TensorFile io(kData + "/upscalers_io.safetensors");
    sg::Upscaler upscaler(kData + "/upscaler_compact2.pth", torch::kCPU);
    const sg::Image picture = imageOf(io.at("bytes.x")), wanted = imageOf(io.at("bytes.y"));
    int beats = 0;
    const auto enlarged = [&] {
        beats = 0;
        const sg::nn::Pulse::Scope pulse([&] { ++beats; });
        return upscaler.enlarge(picture, {});
    };
    const sg::Image made = enlarged();
    const int first = beats;
    CHECK(enlarged() == made && first > beats && beats >= 3);  // reading the weights is work too
    CHECK(made.width == wanted.width && made.height == wanted.height && made.channels == 3);
    int most = 0, differ = 0;
    for (std::size_t i = 0; i < wanted.pixels.size(); ++i) {
        const int distance = std::abs(made.pixels.at(i) - wanted.pixels[i]);
        most = std::max(most, distance);
        differ += distance > 0;
    }
    CHECK(most <= 1 && differ * 100 < static_cast<int>(wanted.pixels.size()));
    {
        const sg::nn::WrapScope seamless({true, true});
        CHECK(upscaler.enlarge(picture, {}) == made);
    }
    std::stop_source stopped;
    stopped.request_stop();
    try {
        (void)upscaler.enlarge(picture, stopped.get_token());
        CHECK(false);
    } catch (const sg::Failure &failure) {
        CHECK(failure.error.code == sg::ErrorCode::Cancelled);
    }
}

// What is computed from shapes against what torch is asked for.
class Counter final : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void *, std::int64_t size, std::size_t, std::size_t, c10::Device) override
    {
        m_held += size;
        m_most = std::max(m_most, m_held);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t most() const { return m_most; }

private:
    std::int64_t m_held = 0, m_most = 0;
};

double countedBytes(const std::function<void()> &work)
{
    const auto counter = std::make_shared<Counter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, counter);
    work();
    return static_cast<double>(counter->most());
}

SG_CASE(memoryNeedOfCoding)
{
    const auto starter =
        sg::loadCheckpoint(SG_SOURCE_DIR "/resources/starter/starter.safetensors", torch::kCPU, torch::kFloat);
    sg::Taesd taesd = sg::loadTaesd(kData + "/taesd.safetensors", torch::kCPU, torch::kFloat32);
    for (const auto &vae : {starter->vae, std::shared_ptr<sg::Autoencoder>(taesd.ptr())})
        for (const auto &[height, width] : {std::pair<std::int64_t, std::int64_t>(40, 48), {64, 64}}) {
            const torch::Tensor latent = at::randn({1, 4, height, width});
            const torch::Tensor picture = at::randn({1, 3, 8 * height, 8 * width});
            vae->decode(latent);  // what layers keep of their weights is not the picture's
            vae->encode(picture);
            const double decoding = countedBytes([&] { vae->decode(latent); }),
                         said = static_cast<double>(vae->decodeBytes(height, width));
            const double encoding = countedBytes([&] { vae->encode(picture); }),
                         saidToo = static_cast<double>(vae->encodeBytes(height, width));
            std::printf("     %s, %d x %d: decoding %.1f MB, said %.1f; encoding %.1f MB, said %.1f\n",
                        vae == starter->vae ? "VAE" : "TAESD", static_cast<int>(width), static_cast<int>(height),
                        decoding / 1e6, said / 1e6, encoding / 1e6, saidToo / 1e6);
            const auto overhead = static_cast<double>(sg::kCodingOverhead);
            CHECK(decoding <= said + overhead && said <= 1.5 * decoding);
            CHECK(encoding <= saidToo + overhead && saidToo <= 1.5 * encoding);
        }
}

SG_CASE(memoryNeedOfUpscalers)
{
    for (const char *name : {"old4.safetensors", "new2.pth", "compact2.pth"}) {
        const auto file = sg::readUpscaler(*sg::readModelFile(kData + "/upscaler_" + name));
        sg::UpscalerConfig config = file->config;
        config.features = 64;  // as published ones have, so that channels and not rounding decide
        if (config.growth > 0) config.growth = 32;
        const auto network = sg::makeUpscalerNetwork(config);
        for (const auto &entry : network->named_modules())
            if (auto *leaf = dynamic_cast<sg::nn::Leaf *>(entry.value().get())) {
                leaf->setPrecision(torch::kFloat);
                leaf->edit([](const auto &weights) {
                    for (const auto &weight : weights) {
                        torch::Tensor parameter = weight.parameter;
                        parameter.set_data(at::randn(weight.shape) * 0.01);
                    }
                });
            }
        const torch::Tensor x = at::rand({1, 3, 96, 128});
        network->forward(x);
        const double took = countedBytes([&] { network->forward(x); }),
                     said = static_cast<double>(sg::upscalerBytes(config, 96, 128));
        std::printf("     %s: %.1f MB, said %.1f\n", name, took / 1e6, said / 1e6);
        CHECK(took <= said + static_cast<double>(sg::kCodingOverhead) && said <= 1.5 * took);
    }
}

}  // namespace

int main(int count, char **names)
{
    at::set_num_threads(1);  // tiny tensors: more threads only wait for each other
    const torch::InferenceMode guard;
    return sg::test::runCases(count, names);
}
