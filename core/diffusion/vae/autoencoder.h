#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>

namespace sg {

/// What turns pictures into latents and back, as pipelines use it: Stable Diffusion's autoencoder, or a tiny one.
/// Shapes  pictures [B, 3, H, W], latents [B, latentChannels, H / factor, W / factor].
/// Units   pictures -1..1 (decode may leave that a little); latents as samplers see them.
class Autoencoder : public torch::nn::Module {
public:
    virtual torch::Tensor encode(const torch::Tensor &pictures) = 0;
    virtual torch::Tensor decode(const torch::Tensor &latents) = 0;
    /// Pixels per latent pixel, in each direction.
    virtual std::int64_t factor() const = 0;
    virtual std::int64_t latentChannels() const = 0;
    /// What one picture takes at the peak beside weights, from shapes alone. Units  latent pixels, bytes.
    virtual std::uint64_t decodeBytes(std::int64_t height, std::int64_t width) const = 0;
    virtual std::uint64_t encodeBytes(std::int64_t height, std::int64_t width) const = 0;
};

}  // namespace sg
