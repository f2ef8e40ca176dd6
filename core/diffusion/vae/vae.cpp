#include "core/diffusion/vae/vae.h"

#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/pulse.h"

#include <algorithm>
#include <string>
#include <vector>

namespace sg {
namespace {

constexpr double kVaeNormEps = 1e-6;

/// Shapes  x [B, in, H, W] -> [B, out, H, W]. Keys norm1, conv1, norm2, conv2, nin_shortcut when in and out differ.
class ResBlock final : public torch::nn::Module {
public:
    ResBlock(std::int64_t in, std::int64_t out, std::int64_t normGroups);
    torch::Tensor forward(const torch::Tensor &x);

private:
    nn::GroupNorm m_norm1{nullptr}, m_norm2{nullptr};
    nn::Conv2d m_conv1{nullptr}, m_conv2{nullptr}, m_shortcut{nullptr};
};

/// Residual block, attention over all positions with one head, residual block. Keys block_1, attn_1, block_2.
class Middle final : public torch::nn::Module {
public:
    Middle(std::int64_t channels, std::int64_t normGroups);
    torch::Tensor forward(const torch::Tensor &x);

private:
    torch::Tensor attend(torch::Tensor x);

    std::shared_ptr<ResBlock> m_block1, m_block2;
    nn::GroupNorm m_norm{nullptr};
    nn::Conv2d m_q{nullptr}, m_k{nullptr}, m_v{nullptr}, m_out{nullptr};
};

ResBlock::ResBlock(std::int64_t in, std::int64_t out, std::int64_t normGroups)
{
    m_norm1 = register_module("norm1", nn::GroupNorm(normGroups, in, kVaeNormEps));
    m_conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dImpl::Shape{in, out}));
    m_norm2 = register_module("norm2", nn::GroupNorm(normGroups, out, kVaeNormEps));
    m_conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dImpl::Shape{out, out}));
    if (in != out) m_shortcut = register_module("nin_shortcut", nn::Conv2d(nn::Conv2dImpl::Shape{in, out, 1, 1, 0}));
}

torch::Tensor ResBlock::forward(const torch::Tensor &x)
{
    nn::Pulse::beat();
    const torch::Tensor h = m_conv1->forward(m_norm1->forwardSilu(x));
    return m_conv2->forwardPlus(m_norm2->forwardSilu(h), m_shortcut ? m_shortcut->forward(x) : x);
}

Middle::Middle(std::int64_t channels, std::int64_t normGroups)
{
    m_block1 = register_module("block_1", std::make_shared<ResBlock>(channels, channels, normGroups));
    nn::Slots attention = register_module("attn_1", nn::Slots());
    const nn::Conv2dImpl::Shape matrix{channels, channels, 1, 1, 0};
    m_norm = attention->put("norm", nn::GroupNorm(normGroups, channels, kVaeNormEps));
    m_q = attention->put("q", nn::Conv2d(matrix));
    m_k = attention->put("k", nn::Conv2d(matrix));
    m_v = attention->put("v", nn::Conv2d(matrix));
    m_out = attention->put("proj_out", nn::Conv2d(matrix));
    m_block2 = register_module("block_2", std::make_shared<ResBlock>(channels, channels, normGroups));
}

torch::Tensor Middle::attend(torch::Tensor x)
{
    const torch::Tensor tokens = nn::tokensOf(m_norm(x));
    const auto project = [&](nn::Conv2d &layer) { return nn::linear(tokens, layer->matrixFor(tokens), layer->bias()); };
    const torch::Tensor y = nn::attention(project(m_q), project(m_k), project(m_v), /*heads=*/1);
    torch::Tensor sum = nn::tokensOf(x);
    nn::addLinear(sum, y, m_out->matrixFor(y), m_out->bias());
    return nn::imageOf(sum, x.size(2), x.size(3));
}

torch::Tensor Middle::forward(const torch::Tensor &x)
{
    return m_block2->forward(attend(m_block1->forward(x)));
}

using Blocks = std::vector<std::shared_ptr<ResBlock>>;

// "block.0", "block.1" … of one level.
Blocks makeBlocks(nn::Slots level, std::int64_t in, const VaeConfig::Level &shape, std::int64_t count,
                  std::int64_t normGroups)
{
    Blocks blocks;
    nn::Slots slots = level->put("block", nn::Slots());
    for (std::int64_t i = 0; i < count; ++i) {
        blocks.push_back(slots->put(std::to_string(i),
                                    std::make_shared<ResBlock>(i ? shape.channels : in, shape.channels, normGroups)));
    }
    return blocks;
}

}  // namespace

class VaeEncoderImpl final : public torch::nn::Module {
public:
    explicit VaeEncoderImpl(const VaeConfig &config)
    {
        const std::int64_t groups = config.normGroups;
        m_convIn =
            register_module("conv_in", nn::Conv2d(nn::Conv2dImpl::Shape{config.pictureChannels, config.encoderWidth}));
        nn::Slots down = register_module("down", nn::Slots());
        std::int64_t channels = config.encoderWidth;
        for (std::size_t n = 0; n < config.encoder.size(); ++n) {
            nn::Slots slots = down->put(std::to_string(n), nn::Slots());
            const VaeConfig::Level &level = config.encoder[n];
            Level made{makeBlocks(slots, channels, level, level.blocks, groups), nn::Conv2d{nullptr}};
            channels = level.channels;
            if (n + 1 < config.encoder.size())
                made.halve = slots->put("downsample", nn::Slots())
                                 ->put("conv", nn::Conv2d(nn::Conv2dImpl::Shape{channels, channels, 3, 2, 0}));
            m_levels.push_back(std::move(made));
        }
        m_middle = register_module("mid", std::make_shared<Middle>(channels, groups));
        m_normOut = register_module("norm_out", nn::GroupNorm(groups, channels, kVaeNormEps));
        m_convOut = register_module("conv_out", nn::Conv2d(nn::Conv2dImpl::Shape{channels, 2 * config.innerChannels}));
    }

    torch::Tensor forward(const torch::Tensor &x)
    {
        torch::Tensor h = m_convIn->forward(x);
        for (Level &level : m_levels) {
            for (const auto &block : level.blocks)
                h = block->forward(h);
            if (level.halve) h = level.halve->forward(at::constant_pad_nd(h, {0, 1, 0, 1}));  // right and bottom only
        }
        return m_convOut->forward(m_normOut->forwardSilu(m_middle->forward(h)));
    }

private:
    struct Level {
        Blocks blocks;
        nn::Conv2d halve{nullptr};
    };
    nn::Conv2d m_convIn{nullptr}, m_convOut{nullptr};
    std::vector<Level> m_levels;
    std::shared_ptr<Middle> m_middle;
    nn::GroupNorm m_normOut{nullptr};
};

class VaeDecoderImpl final : public torch::nn::Module {
public:
    explicit VaeDecoderImpl(const VaeConfig &config)
    {
        std::int64_t channels = config.middleChannels;
        m_convIn = register_module("conv_in", nn::Conv2d(nn::Conv2dImpl::Shape{config.innerChannels, channels}));
        m_middle = register_module("mid", std::make_shared<Middle>(channels, config.normGroups));
        nn::Slots up = register_module("up", nn::Slots());
        m_levels.resize(config.decoder.size());
        for (std::size_t n = config.decoder.size(); n-- > 0;) {
            nn::Slots slots = up->put(std::to_string(n), nn::Slots());
            const VaeConfig::Level &level = config.decoder[n];
            m_levels[n].blocks = makeBlocks(slots, channels, level, level.blocks, config.normGroups);
            channels = level.channels;
            if (n > 0)
                m_levels[n].twice = slots->put("upsample", nn::Slots())
                                        ->put("conv", nn::Conv2d(nn::Conv2dImpl::Shape{channels, channels}));
        }
        m_normOut = register_module("norm_out", nn::GroupNorm(config.normGroups, channels, kVaeNormEps));
        m_convOut = register_module("conv_out", nn::Conv2d(nn::Conv2dImpl::Shape{channels, config.pictureChannels}));
    }

    torch::Tensor forward(const torch::Tensor &z)
    {
        torch::Tensor h = m_middle->forward(m_convIn->forward(z));
        for (std::size_t n = m_levels.size(); n-- > 0;) {
            for (const auto &block : m_levels[n].blocks)
                h = block->forward(h);
            if (m_levels[n].twice) h = m_levels[n].twice->forwardDoubled(h, 2 * h.size(2), 2 * h.size(3));
        }
        return m_convOut->forward(m_normOut->forwardSilu(h));
    }

private:
    struct Level {
        Blocks blocks;
        nn::Conv2d twice{nullptr};
    };
    nn::Conv2d m_convIn{nullptr}, m_convOut{nullptr};
    std::vector<Level> m_levels;
    std::shared_ptr<Middle> m_middle;
    nn::GroupNorm m_normOut{nullptr};
};

VaeImpl::VaeImpl(const VaeConfig &config) : m_config(config)
{
    const std::int64_t inner = config.innerChannels, outer = config.latentChannels;
    m_encoder = register_module("encoder", std::make_shared<VaeEncoderImpl>(config));
    m_decoder = register_module("decoder", std::make_shared<VaeDecoderImpl>(config));
    m_quant = register_module("quant_conv", nn::Conv2d(nn::Conv2dImpl::Shape{2 * inner, 2 * outer, 1, 1, 0}));
    m_postQuant = register_module("post_quant_conv", nn::Conv2d(nn::Conv2dImpl::Shape{outer, inner, 1, 1, 0}));
}

torch::Tensor VaeImpl::moments(const torch::Tensor &pictures)
{
    const torch::Tensor x = pictures.to(m_quant->bias().scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    return m_quant->forward(m_encoder->forward(x));
}

torch::Tensor VaeImpl::encode(const torch::Tensor &pictures)
{
    return moments(pictures).narrow(1, 0, m_config.latentChannels) * m_config.latentScale;
}

torch::Tensor VaeImpl::decode(const torch::Tensor &latents)
{
    const torch::Tensor z = (latents / m_config.latentScale).to(m_postQuant->bias().scalar_type());
    return m_decoder->forward(m_postQuant->forward(z.contiguous(at::MemoryFormat::ChannelsLast)));
}

}  // namespace sg
