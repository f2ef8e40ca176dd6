#pragma once

#include "core/diffusion/nn/layers.h"
#include "core/diffusion/vae/autoencoder.h"
#include "core/diffusion/vae/vae_config.h"

namespace sg {

class VaeEncoderImpl;
class VaeDecoderImpl;

/// Stable Diffusion's autoencoder between pictures and latents.
/// Shapes  pictures [B, 3, H, W], latents [B, latentChannels, H / factor, W / factor].
/// Units   pictures -1..1 (decode may leave that a little); latents as samplers see them, that is times latentScale.
/// Keys    encoder.*, quant_conv, post_quant_conv, decoder.*
/// Source  Rombach et al. 2022, arXiv:2112.10752, section 3.1; Esser et al. 2021, arXiv:2012.09841.
class VaeImpl final : public Autoencoder {
public:
    explicit VaeImpl(const VaeConfig &config);
    /// Mean and logarithm of the variance, [B, 2 * latentChannels, h, w], **not** scaled.
    torch::Tensor moments(const torch::Tensor &pictures);
    /// The mean, in the samplers' scale.
    torch::Tensor encode(const torch::Tensor &pictures) override;
    torch::Tensor decode(const torch::Tensor &latents) override;
    std::int64_t factor() const override { return m_config.factor(); }
    std::int64_t latentChannels() const override { return m_config.latentChannels; }
    std::uint64_t decodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_config.decodeBytes(height, width);
    }
    std::uint64_t encodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_config.encodeBytes(height, width);
    }
    const VaeConfig &config() const { return m_config; }

private:
    VaeConfig m_config;
    std::shared_ptr<VaeEncoderImpl> m_encoder;
    std::shared_ptr<VaeDecoderImpl> m_decoder;
    nn::Conv2d m_quant{nullptr}, m_postQuant{nullptr};
};
TORCH_MODULE(Vae);

}  // namespace sg
