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

inline UNetResBlockImpl::UNetResBlockImpl(const ResBlockShape &shape)
{
    nn::Slots in = register_module("in_layers", nn::Slots());
    m_inNorm = in->put("0", nn::GroupNorm(shape.normGroups, shape.in, kNormEps));
    m_inConv = in->put("2", nn::Conv2d(nn::Conv2dImpl::Shape{shape.in, shape.out}));
    m_time = register_module("emb_layers", nn::Slots())->put("1", nn::Linear(shape.timeChannels, shape.out));
    nn::Slots out = register_module("out_layers", nn::Slots());
    m_outNorm = out->put("0", nn::GroupNorm(shape.normGroups, shape.out, kNormEps));
    m_outConv = out->put("3", nn::Conv2d(nn::Conv2dImpl::Shape{shape.out, shape.out}));
    if (shape.in != shape.out)
        m_skip = register_module("skip_connection", nn::Conv2d(nn::Conv2dImpl::Shape{shape.in, shape.out, 1, 1, 0}));
}

inline torch::Tensor UNetResBlockImpl::forward(const torch::Tensor &x, const torch::Tensor &time)
{
    const torch::Tensor shift = m_time(time);
    torch::Tensor h = m_inNorm->forwardSilu(x);
    if (shift.size(0) == 1)
        h = m_inConv->forward(h, m_inConv->bias() + shift.squeeze(0));
    else
        h = m_inConv->forward(h).add_(shift.unsqueeze(2).unsqueeze(3));
    return m_outConv->forwardPlus(m_outNorm->forwardSilu(h), m_skip ? m_skip->forward(x) : x);
}

}  // namespace sg
