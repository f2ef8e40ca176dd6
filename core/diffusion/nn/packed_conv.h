#pragma once

#include <torch/types.h>

#include <cstdint>

namespace sg::nn {

/// A convolution's weight in oneDNN's own layout, made for one size of picture, so that no call has to rearrange it.
/// Deep layers have few pixels and large weights: rearranging took longer than convolving them.
/// Dtype  float32 on the CPU.
class PackedConv {
public:
    /// Whether weights like this one can be packed for convolutions of `precision` (of their own type: Undefined).
    static bool fits(const torch::Tensor &weight, torch::ScalarType precision);

    bool empty() const { return !m_packed.defined(); }
    bool isFor(const torch::Tensor &x, std::int64_t padding) const
    {
        return !empty() && x.sizes() == m_size && padding == m_padding;
    }
    /// `weight` may have any type.
    void pack(const torch::Tensor &weight, const torch::Tensor &x, std::int64_t stride, std::int64_t padding);
    void clear() { m_packed.reset(); }
    /// The weight as it was, [out, in, kernel, kernel].
    torch::Tensor unpacked() const { return m_packed.to_dense(); }

    /// Shapes  x [B, in, H, W] as packed for; bias [out]; `plus`, when defined, is added and has the result's shape.
    /// Returns [B, out, H', W'], channels-last.
    torch::Tensor forward(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus) const;

private:
    torch::Tensor m_packed;
    std::vector<std::int64_t> m_size;
    std::int64_t m_stride = 1, m_padding = 0;
};

}  // namespace sg::nn
