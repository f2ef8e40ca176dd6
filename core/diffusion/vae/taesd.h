#pragma once

#include "core/diffusion/nn/layers.h"
#include "core/diffusion/vae/autoencoder.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sg {

/// One half of a tiny autoencoder: numbered layers, of which those without weights are left out.
struct TaesdHalf {
    struct Layer {
        std::int64_t number = 0;
        bool block = false;  ///< a residual block, else one convolution
        bool bias = true;    ///< a convolution without it is where the size changes
        std::int64_t in = 0, out = 0;
    };
    std::string prefix;
    std::vector<Layer> layers;
};

/// A tiny autoencoder as its tensors describe it. Files may hold both halves or one.
struct TaesdConfig {
    std::optional<TaesdHalf> encoder, decoder;

    /// Errors  throws Failure UnusableFile.
    static TaesdConfig detect(const TensorIndex &index);
    /// Pixels per latent pixel, in each direction, and the latents' channels.
    std::int64_t factor() const;
    std::int64_t latentChannels() const;
};

class TaesdHalfImpl;

/// A tiny autoencoder: latents in the samplers' scale, a hundredth of the work, a little less detail.
/// Keys    taesd_encoder.N.*, taesd_decoder.N.*; also encoder.N.*, encoder.layers.N.* (diffusers) and bare N.* (one
/// half). Errors  encode and decode throw Failure UnusableFile when the file lacks that half. Source  madebyollin,
/// github.com/madebyollin/taesd (architecture).
class TaesdImpl final : public Autoencoder {
public:
    explicit TaesdImpl(const TaesdConfig &config);
    torch::Tensor encode(const torch::Tensor &pictures) override;
    torch::Tensor decode(const torch::Tensor &latents) override;
    const TaesdConfig &config() const { return m_config; }
    torch::nn::Module *encoder() const;
    torch::nn::Module *decoder() const;

private:
    TaesdConfig m_config;
    std::shared_ptr<TaesdHalfImpl> m_encoder, m_decoder;
};
TORCH_MODULE(Taesd);

/// Reads a file of one. Errors  throws Failure as loadCheckpoint.
Taesd loadTaesd(const std::filesystem::path &path, const torch::Device &device, torch::ScalarType dtype);

}  // namespace sg
