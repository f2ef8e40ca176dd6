#pragma once

#include "core/diffusion/nn/layers.h"
#include "core/diffusion/unet/spatial_transformer.h"
#include "core/diffusion/unet/unet_config.h"

#include <memory>
#include <string>
#include <vector>

namespace sg {

class UNetResBlockImpl;

/// The denoising network of Stable Diffusion, for any numbers of levels, blocks and transformers.
/// Shapes  x [B, inChannels, H, W]; timesteps [1] (of the whole batch: faster) or [B], any number type, may be
///         fractions; context [B, M, contextDim]; vector [1 or B, vectorDim] where the config has one. Returns
///         [B, outChannels, H, W] in the weights' type, channels-last.
/// Units   timesteps 0..999.
/// Keys    time_embed, label_emb, input_blocks, middle_block, output_blocks, out, as in LDM's single files.
/// Source  Rombach et al. 2022, arXiv:2112.10752; odd sizes are doubled to their skip's size, as in diffusers.
class UNetImpl final : public torch::nn::Module {
public:
    explicit UNetImpl(const UNetConfig &config);
    torch::Tensor forward(const torch::Tensor &x, const torch::Tensor &timesteps, const torch::Tensor &context,
                          const torch::Tensor &vector = {});
    const UNetConfig &config() const { return m_config; }

private:
    struct Stage {
        std::string name;
        std::shared_ptr<UNetResBlockImpl> res;
        SpatialTransformer attention{nullptr};
        nn::Conv2d resample{nullptr};
    };
    Stage stage(std::string name, nn::Slots slots, std::int64_t in, const UNetConfig::Block &block);
    SpatialTransformer transformer(std::int64_t channels, std::int64_t depth) const;
    void makeInputs();
    void makeMiddle();
    void makeOutputs();
    torch::Tensor timeEmbedding(const torch::Tensor &timesteps, const torch::Tensor &vector);
    torch::Tensor run(const Stage &stage, torch::Tensor x, const torch::Tensor &time, const torch::Tensor &context);

    UNetConfig m_config;
    std::vector<std::int64_t> m_skipChannels;  // while it is made
    nn::Linear m_time0{nullptr}, m_time2{nullptr};
    nn::Linear m_label0{nullptr}, m_label2{nullptr};  ///< only with vector conditioning
    nn::Conv2d m_first{nullptr};
    std::vector<Stage> m_inputs;
    Stage m_middle;
    std::shared_ptr<UNetResBlockImpl> m_middleEnd;
    std::vector<Stage> m_outputs;
    nn::GroupNorm m_outNorm{nullptr};
    nn::Conv2d m_outConv{nullptr};
};
TORCH_MODULE(UNet);

}  // namespace sg
