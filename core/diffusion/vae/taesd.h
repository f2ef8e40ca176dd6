#pragma once

#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/load_watch.h"
#include "core/diffusion/vae/autoencoder.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
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

/// Whether the latents of a file so called are those of SDXL: nothing in it tells. Source  its author's names.
bool isTaesdXlName(std::string_view name);

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
    std::int64_t factor() const override { return m_config.factor(); }
    std::int64_t latentChannels() const override { return m_config.latentChannels(); }
    std::uint64_t decodeBytes(std::int64_t height, std::int64_t width) const override;
    std::uint64_t encodeBytes(std::int64_t height, std::int64_t width) const override;
    const TaesdConfig &config() const { return m_config; }
    torch::nn::Module *encoder() const;
    torch::nn::Module *decoder() const;

private:
    TaesdConfig m_config;
    std::shared_ptr<TaesdHalfImpl> m_encoder, m_decoder;
};
TORCH_MODULE(Taesd);

/// From a file whose header was read. Errors  throws Failure UnusableFile, and what bind() throws.
Taesd makeTaesd(const nn::WeightSource &source, nn::BindReport &report);
/// Reads a file of one, in any container that readModelFile() knows. Errors  throws Failure as loadCheckpoint.
Taesd loadTaesd(const std::filesystem::path &path, const torch::Device &device, torch::ScalarType dtype,
                const std::stop_token &stop = {}, const LoadWatch &watch = {});

}  // namespace sg
