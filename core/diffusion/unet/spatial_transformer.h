#pragma once

#include "core/diffusion/nn/layers.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace sg {

/// What the transformers of one place in the UNet are made of.
struct TransformerShape {
    std::int64_t channels = 0;
    std::int64_t heads = 0;
    std::int64_t contextDim = 0;
    std::int64_t depth = 0;
    std::int64_t normGroups = 0;
    bool linearProjection = false;
};

class TransformerBlockImpl;

/// Attention of the picture's positions to each other and to the prompt.
/// Shapes  x [B, channels, H, W], channels-last, which it overwrites; context [B, M, contextDim]. Returns x.
/// Keys    norm, proj_in, transformer_blocks.N.{norm1,attn1,norm2,attn2,norm3,ff}, proj_out.
/// Source  Rombach et al. 2022, arXiv:2112.10752, section 3.3.
class SpatialTransformerImpl final : public torch::nn::Module {
public:
    explicit SpatialTransformerImpl(const TransformerShape &shape);
    torch::Tensor forward(torch::Tensor x, const torch::Tensor &context);

private:
    /// A matrix, stored as a 1x1 convolution in SD1's files.
    struct Projection {
        nn::Conv2d conv{nullptr};
        nn::Linear linear{nullptr};
        torch::Tensor matrixFor(const torch::Tensor &x) const
        {
            return conv ? conv->matrixFor(x) : linear->weightFor(x);
        }
        torch::Tensor bias() const { return conv ? conv->bias() : linear->bias(); }
    };
    Projection projection(const std::string &name);

    TransformerShape m_shape;
    nn::GroupNorm m_norm{nullptr};
    Projection m_in, m_out;
    std::vector<std::shared_ptr<TransformerBlockImpl>> m_blocks;
};
TORCH_MODULE(SpatialTransformer);

}  // namespace sg
