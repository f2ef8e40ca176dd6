#pragma once

#include "core/diffusion/nn/layers.h"

#include <cstdint>

namespace sg {

/// Shapes  x [B, in, H, W] -> [B, out, H, W]. Keys norm1, conv1, norm2, conv2, nin_shortcut when in and out differ.
class VaeResBlockImpl final : public torch::nn::Module {
public:
    VaeResBlockImpl(std::int64_t in, std::int64_t out, std::int64_t normGroups);
    torch::Tensor forward(const torch::Tensor &x);

private:
    nn::GroupNorm m_norm1{nullptr}, m_norm2{nullptr};
    nn::Conv2d m_conv1{nullptr}, m_conv2{nullptr}, m_shortcut{nullptr};
};

/// Residual block, attention over all positions with one head, residual block. Keys block_1, attn_1, block_2.
class VaeMiddleImpl final : public torch::nn::Module {
public:
    VaeMiddleImpl(std::int64_t channels, std::int64_t normGroups);
    torch::Tensor forward(const torch::Tensor &x);

private:
    torch::Tensor attend(torch::Tensor x);

    std::shared_ptr<VaeResBlockImpl> m_block1, m_block2;
    nn::GroupNorm m_norm{nullptr};
    nn::Conv2d m_q{nullptr}, m_k{nullptr}, m_v{nullptr}, m_out{nullptr};
};

inline constexpr double kVaeNormEps = 1e-6;

}  // namespace sg
