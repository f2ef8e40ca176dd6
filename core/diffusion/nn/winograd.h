#pragma once

#include <torch/types.h>

#include <cstdint>

namespace sg::nn {

/// A 3x3 convolution with stride 1 and padding 1 by Winograd's method, which multiplies four times less. Its weight
/// takes four times the memory of the original.
/// Dtype  float32 on the CPU. Outputs differ from a direct convolution's by about 2e-6 of the largest value.
class Winograd {
public:
    /// Whether it can convolve x [B, in, H, W], and would be faster. `doubled`: as in forward().
    static bool fits(std::int64_t out, const torch::Tensor &x, bool doubled = false);

    bool empty() const { return !m_weight.defined(); }
    /// weight [out, in, 3, 3].
    void pack(const torch::Tensor &weight);
    void clear() { m_weight.reset(); }

    /// Shapes  x [B, in, H, W]; bias [out] or undefined; `plus`, when defined, is added and has the result's shape.
    /// With `doubled`, every pixel of x stands for 2x2. Returns [B, out, H', W'], channels-last.
    torch::Tensor forward(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus = {},
                          bool doubled = false) const;

private:
    torch::Tensor m_weight;  ///< [kProducts, out / kPanel, in, kPanel]
};

}  // namespace sg::nn
