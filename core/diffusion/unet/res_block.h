#pragma once

#include "core/diffusion/nn/layers.h"

#include <cstdint>

namespace sg {

inline constexpr double kNormEps = 1e-5;  ///< of every norm of the UNet but the transformers' first

struct ResBlockShape {
    std::int64_t in = 0, out = 0, timeChannels = 0, normGroups = 0;
};

/// Two convolutions, the time between them, and a way around.
/// Shapes  x [B, in, H, W] channels-last; time [1 or B, timeChannels], SiLU already applied. Returns [B, out, H, W].
/// Keys    in_layers.{0,2}, emb_layers.1, out_layers.{0,3}, skip_connection when in and out differ.
class UNetResBlockImpl final : public torch::nn::Module {
public:
    explicit UNetResBlockImpl(const ResBlockShape &shape);
    torch::Tensor forward(const torch::Tensor &x, const torch::Tensor &time);

private:
    nn::GroupNorm m_inNorm{nullptr}, m_outNorm{nullptr};
    nn::Conv2d m_inConv{nullptr}, m_outConv{nullptr}, m_skip{nullptr};
    nn::Linear m_time{nullptr};
};

}  // namespace sg
