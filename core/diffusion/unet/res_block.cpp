#include "core/diffusion/unet/res_block.h"

namespace sg {
UNetResBlockImpl::UNetResBlockImpl(const ResBlockShape &shape)
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

torch::Tensor UNetResBlockImpl::forward(const torch::Tensor &x, const torch::Tensor &time)
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
