#pragma once

#include "core/diffusion/nn/weight_panels.h"
#include "core/diffusion/nn/wrap.h"

#include <torch/types.h>

#include <cstdint>

/// Float32 products with a weight just as it lies in its file, in half precision or not: each thread converts the part
/// that it multiplies with next, so that no copy of the weight is ever made.
/// Dtype   x float32 on the CPU; weight float32, float16 or bfloat16.
/// Shapes  weight [out, in], or [out, in, kernel, kernel] with kernel 1 or 3; bias [out] or undefined.
/// Results do not depend on the number of threads, nor on the type in which a weight's values are written.
namespace sg::nn::weight_product {

/// Of a weight's type, which must be one of the three.
kernels::Number numberOf(const torch::Tensor &weight);

/// Whether all of these can work with x and weight.
bool fits(const torch::Tensor &x, const torch::Tensor &weight);

/// Shapes  x [..., in] -> [..., out].
torch::Tensor linear(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias);
/// sum += linear(x, weight, bias).
void addLinear(torch::Tensor &sum, const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias);

/// Shapes  x [B, in, H, W] -> [B, out, H', W'], channels-last; `plus`, when defined, is added and has that shape.
/// Beyond the edges are zeros, or by `wrap` the other side.
torch::Tensor convolve(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias,
                       const torch::Tensor &plus, std::int64_t stride, std::int64_t padding, Wrap wrap = {});

}  // namespace sg::nn::weight_product
