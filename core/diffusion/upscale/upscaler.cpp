#include "core/diffusion/upscale/upscaler.h"

#include "core/base/or_throw.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/nn/wrap.h"
#include "core/modelfile/model_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace sg {
namespace {

constexpr double kSlope = 0.2;     // below zero
constexpr double kResidual = 0.2;  // of what a block adds
constexpr std::size_t kConvs = 5, kDenseBlocks = 3;

/// Between the blocks: a sign of life, and whether the work is wanted yet.
void goOn(const std::stop_token &stop)
{
    nn::Pulse::beat();
    if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
}

nn::Conv2d conv(std::int64_t in, std::int64_t out)
{
    return nn::Conv2d(nn::Conv2dImpl::Shape{in, out});
}

torch::Tensor bent(torch::Tensor x)
{
    return at::leaky_relu_(x, kSlope);
}

/// Five convolutions, each of which sees what all before it made. Keys conv1 … conv5.
class DenseBlock final : public torch::nn::Module {
public:
    DenseBlock(std::int64_t features, std::int64_t growth)
    {
        for (std::size_t i = 0; i < kConvs; ++i) {
            const std::int64_t in = features + static_cast<std::int64_t>(i) * growth;
            m_convs.push_back(
                register_module("conv" + std::to_string(i + 1), conv(in, i + 1 < kConvs ? growth : features)));
        }
    }

    torch::Tensor forward(const torch::Tensor &x)
    {
        torch::Tensor seen = x;
        for (std::size_t i = 0; i + 1 < kConvs; ++i)
            seen = at::cat({seen, bent(m_convs[i]->forward(seen))}, 1);
        return m_convs.back()->forward(seen).mul_(kResidual).add_(x);
    }

private:
    std::vector<nn::Conv2d> m_convs;
};

/// Keys rdb1, rdb2, rdb3.
class ResidualBlock final : public torch::nn::Module {
public:
    ResidualBlock(std::int64_t features, std::int64_t growth)
    {
        for (std::size_t i = 0; i < kDenseBlocks; ++i)
            m_blocks.push_back(
                register_module("rdb" + std::to_string(i + 1), std::make_shared<DenseBlock>(features, growth)));
    }

    torch::Tensor forward(const torch::Tensor &x)
    {
        torch::Tensor made = x;
        for (const auto &block : m_blocks)
            made = block->forward(made);
        return made.mul_(kResidual).add_(x);
    }

private:
    std::vector<std::shared_ptr<DenseBlock>> m_blocks;
};

class Rrdb final : public UpscalerNetwork {
public:
    explicit Rrdb(const UpscalerConfig &config) : m_shuffle(config.shuffle), m_scale(config.scale)
    {
        const std::int64_t width = config.features;
        m_first = register_module("conv_first", conv(3 * m_shuffle * m_shuffle, width));
        nn::Slots body = register_module("body", nn::Slots());
        for (std::int64_t i = 0; i < config.blocks; ++i)
            m_blocks.push_back(body->put(std::to_string(i), std::make_shared<ResidualBlock>(width, config.growth)));
        m_body = register_module("conv_body", conv(width, width));
        for (std::int64_t i = 1; i <= config.doublings; ++i)
            m_ups.push_back(register_module("conv_up" + std::to_string(i), conv(width, width)));
        m_hr = register_module("conv_hr", conv(width, width));
        m_last = register_module("conv_last", conv(width, 3));
    }

    torch::Tensor forward(const torch::Tensor &x, const std::stop_token &stop) override
    {
        torch::Tensor made = m_first->forward(unshuffled(x).contiguous(at::MemoryFormat::ChannelsLast));
        {
            torch::Tensor deep = made;
            for (const auto &block : m_blocks) {
                goOn(stop);
                deep = block->forward(deep);
            }
            made = m_body->forwardPlus(deep, made);
        }
        for (nn::Conv2d &up : m_ups) {
            goOn(stop);
            made = bent(up->forwardDoubled(made, 2 * made.size(2), 2 * made.size(3)));
        }
        goOn(stop);
        made = bent(m_hr->forward(made));
        goOn(stop);
        made = m_last->forward(made);
        return made.narrow(2, 0, x.size(2) * m_scale).narrow(3, 0, x.size(3) * m_scale);
    }

private:
    torch::Tensor unshuffled(const torch::Tensor &x) const
    {
        if (m_shuffle == 1) return x;
        const auto short_ = [&](std::int64_t size) { return (m_shuffle - size % m_shuffle) % m_shuffle; };
        const std::array<std::int64_t, 4> pads{0, short_(x.size(3)), 0, short_(x.size(2))};
        return at::pixel_unshuffle(at::reflection_pad2d(x, pads), m_shuffle);
    }

    std::int64_t m_shuffle, m_scale;
    nn::Conv2d m_first{nullptr}, m_body{nullptr}, m_hr{nullptr}, m_last{nullptr};
    std::vector<std::shared_ptr<ResidualBlock>> m_blocks;
    std::vector<nn::Conv2d> m_ups;
};

/// What is below zero is multiplied by a number for each channel. Keys weight [channels].
class ChannelSlopes final : public nn::Leaf {
public:
    explicit ChannelSlopes(std::int64_t channels) : m_weight(declare("weight", {channels})) {}
    torch::Tensor forward(const torch::Tensor &x) const { return at::prelu(x, settled(m_weight)); }

private:
    torch::Tensor m_weight;
};

class Compact final : public UpscalerNetwork {
public:
    explicit Compact(const UpscalerConfig &config) : m_scale(config.scale)
    {
        nn::Slots body = register_module("body", nn::Slots());
        const auto put = [&](std::int64_t number, std::int64_t in, std::int64_t out) {
            m_convs.push_back(body->put(std::to_string(number), conv(in, out)));
        };
        for (std::int64_t i = 0; i <= config.blocks; ++i) {
            put(2 * i, i == 0 ? 3 : config.features, config.features);
            m_slopes.push_back(body->put(std::to_string(2 * i + 1), std::make_shared<ChannelSlopes>(config.features)));
        }
        put(2 * config.blocks + 2, config.features, 3 * m_scale * m_scale);
    }

    torch::Tensor forward(const torch::Tensor &x, const std::stop_token &stop) override
    {
        torch::Tensor made = x.contiguous(at::MemoryFormat::ChannelsLast);
        for (std::size_t i = 0; i < m_slopes.size(); ++i) {
            goOn(stop);
            made = m_slopes[i]->forward(m_convs[i]->forward(made));
        }
        const torch::Tensor added = at::pixel_shuffle(m_convs.back()->forward(made), m_scale);
        return added + at::upsample_nearest2d(x, {x.size(2) * m_scale, x.size(3) * m_scale});
    }

private:
    std::int64_t m_scale;
    std::vector<nn::Conv2d> m_convs;
    std::vector<std::shared_ptr<ChannelSlopes>> m_slopes;
};

/// Blue first, as these networks were trained and A1111 feeds them.
torch::Tensor toBgr(const Image &rgb)
{
    const torch::Tensor bytes =
        torch::from_blob(const_cast<std::uint8_t *>(rgb.pixels.data()), {1, rgb.height, rgb.width, 3}, torch::kByte);
    return bytes.permute({0, 3, 1, 2}).flip(1).to(torch::kFloat) / 255;
}

Image fromBgr(const torch::Tensor &bgr)
{
    const torch::Tensor bytes = bgr[0]
                                    .to(torch::kFloat)
                                    .clamp(0, 1)
                                    .mul(255)
                                    .round()
                                    .to(torch::kByte)
                                    .flip(0)
                                    .permute({1, 2, 0})
                                    .to(torch::kCPU)
                                    .contiguous();
    Image image(static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)), 3);
    std::memcpy(image.pixels.data(), bytes.data_ptr<std::uint8_t>(), image.pixels.size());
    return image;
}

}  // namespace

std::shared_ptr<UpscalerNetwork> makeUpscalerNetwork(const UpscalerConfig &config)
{
    if (config.kind == UpscalerKind::Compact) return std::make_shared<Compact>(config);
    return std::make_shared<Rrdb>(config);
}

Upscaler::Upscaler(const std::filesystem::path &path, const torch::Device &device)
    : m_file(orThrow(readUpscaler(orThrow(readModelFile(path))))), m_device(device)
{
}

std::uint64_t Upscaler::weightBytes() const
{
    std::uint64_t sum = 0;
    for (const auto &[name, info] : m_file.index.tensors())
        sum += static_cast<std::uint64_t>(info.elements()) * sizeof(float);
    return sum;
}

void Upscaler::load(const std::stop_token &stop)
{
    nn::WeightSource source{m_file.index, {}, m_device, torch::kFloat32, stop};
    for (const SourceFile &one : m_file.index.files())
        source.files.push_back(orThrow(nn::MappedFile::open(one.path, one.identity)));
    const LoadWatch beat = [](std::uint64_t, std::uint64_t) { nn::Pulse::beat(); };
    source.alive = nn::readAhead(source.files, m_file.index.path(), stop, beat);
    std::shared_ptr<UpscalerNetwork> made = makeUpscalerNetwork(m_file.config);
    nn::BindReport report;
    nn::bind(*made, "", source, report);
    m_files = std::move(source.files);
    m_network = std::move(made);
}

Image Upscaler::enlarge(const Image &rgb, const std::stop_token &stop)
{
    goOn(stop);
    if (!m_network) load(stop);
    // Seamless is the drawing network's: A1111 enlarges as if it were any picture.
    const nn::WrapScope wrap({});
    const torch::Tensor made = m_network->forward(toBgr(rgb).to(m_device), stop);
    if (!made.isfinite().all().item<bool>())
        throw Failure{
            {ErrorCode::NonFinite, "the upscaler made values that are not numbers: " + m_file.index.path(), {}}};
    for (const auto &file : m_files)
        if (!file->unchanged())
            throw Failure{
                {ErrorCode::ModelChanged, "the upscaler's file changed while it was used", m_file.index.path()}};
    return fromBgr(made);
}

}  // namespace sg
