#include "core/diffusion/vae/vae.h"

#include "core/diffusion/vae/vae_blocks.h"

#include <algorithm>
#include <string>
#include <vector>

namespace sg {
namespace {

using Blocks = std::vector<std::shared_ptr<VaeResBlockImpl>>;

// "block.0", "block.1" … of one level.
Blocks makeBlocks(nn::Slots level, std::int64_t in, const VaeConfig::Level &shape, std::int64_t count,
                  std::int64_t normGroups)
{
    Blocks blocks;
    nn::Slots slots = level->put("block", nn::Slots());
    for (std::int64_t i = 0; i < count; ++i) {
        blocks.push_back(slots->put(
            std::to_string(i), std::make_shared<VaeResBlockImpl>(i ? shape.channels : in, shape.channels, normGroups)));
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
        m_middle = register_module("mid", std::make_shared<VaeMiddleImpl>(channels, groups));
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
    std::shared_ptr<VaeMiddleImpl> m_middle;
    nn::GroupNorm m_normOut{nullptr};
};

class VaeDecoderImpl final : public torch::nn::Module {
public:
    explicit VaeDecoderImpl(const VaeConfig &config)
    {
        std::int64_t channels = config.middleChannels;
        m_convIn = register_module("conv_in", nn::Conv2d(nn::Conv2dImpl::Shape{config.innerChannels, channels}));
        m_middle = register_module("mid", std::make_shared<VaeMiddleImpl>(channels, config.normGroups));
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
    std::shared_ptr<VaeMiddleImpl> m_middle;
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
