#pragma once

#include "core/diffusion/nn/layers.h"

#include <torch/types.h>

#include <cstdint>

namespace sg::nn {

/// Softmax attention in heads.
/// Shapes  q [B, N, heads * d], k and v [B, M, heads * d] -> [B, N, heads * d]. `causal`: row n sees columns 0..n.
torch::Tensor attention(const torch::Tensor &q, const torch::Tensor &k, const torch::Tensor &v, std::int64_t heads,
                        bool causal = false);

/// Waves of a number, cosines first, periods from 2 pi to 10000 times that. Shapes  [B] -> [B, width], float32.
/// Source  Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
torch::Tensor sinusoids(const torch::Tensor &numbers, std::int64_t width);

/// Shapes  [B, C, H, W] -> [B, H * W, C]: a view when x is channels-last.
torch::Tensor tokensOf(const torch::Tensor &x);
/// The way back: a view, channels-last.
torch::Tensor imageOf(const torch::Tensor &tokens, std::int64_t height, std::int64_t width);

/// With a weight [out, in] of any type of float; see weight_product.h.
/// Shapes  x [..., in] -> [..., out].
torch::Tensor linear(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias);
/// sum += linear(x), without a tensor for the product.
void addLinear(torch::Tensor &sum, const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias);

}  // namespace sg::nn
