#pragma once

#include "core/diffusion/nn/wrap.h"

#include <torch/types.h>

#include <cstdint>

/// A 3x3 convolution with stride 1 and padding 1 by Winograd's method, which multiplies four times less. The weight is
/// read as it lies in its file, in half precision or not; nothing is kept of it.
/// Dtype   x float32 on the CPU; weight float32, float16 or bfloat16.
/// Results differ from a direct convolution's by about 2e-6 of the largest value, and do not depend on the number of
/// threads.
namespace sg::nn::winograd {

/// Whether it can convolve x [B, in, H, W] with weight [out, in, 3, 3], and would be faster. `doubled`: as below.
bool fits(const torch::Tensor &x, const torch::Tensor &weight, bool doubled = false);

/// Shapes  x [B, in, H, W]; bias [out] or undefined; `plus`, when defined, is added and has the result's shape. With
/// `doubled`, every pixel of x stands for 2x2. Beyond the edges are zeros, or by `wrap` the other side. Returns
/// [B, out, H', W'], channels-last.
torch::Tensor convolve(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias,
                       const torch::Tensor &plus = {}, bool doubled = false, Wrap wrap = {});

}  // namespace sg::nn::winograd
