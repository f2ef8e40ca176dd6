#include "core/diffusion/vae/vae_blocks.h"

#include "core/diffusion/nn/functions.h"

namespace sg {

VaeResBlockImpl::VaeResBlockImpl(std::int64_t in, std::int64_t out, std::int64_t normGroups)
{
    m_norm1 = register_module("norm1", nn::GroupNorm(normGroups, in, kVaeNormEps));
    m_conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dImpl::Shape{in, out}));
    m_norm2 = register_module("norm2", nn::GroupNorm(normGroups, out, kVaeNormEps));
    m_conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dImpl::Shape{out, out}));
    if (in != out) m_shortcut = register_module("nin_shortcut", nn::Conv2d(nn::Conv2dImpl::Shape{in, out, 1, 1, 0}));
}

torch::Tensor VaeResBlockImpl::forward(const torch::Tensor &x)
{
    const torch::Tensor h = m_conv1->forward(m_norm1->forwardSilu(x));
    return m_conv2->forwardPlus(m_norm2->forwardSilu(h), m_shortcut ? m_shortcut->forward(x) : x);
}

VaeMiddleImpl::VaeMiddleImpl(std::int64_t channels, std::int64_t normGroups)
{
    m_block1 = register_module("block_1", std::make_shared<VaeResBlockImpl>(channels, channels, normGroups));
    nn::Slots attention = register_module("attn_1", nn::Slots());
    const nn::Conv2dImpl::Shape matrix{channels, channels, 1, 1, 0};
    m_norm = attention->put("norm", nn::GroupNorm(normGroups, channels, kVaeNormEps));
    m_q = attention->put("q", nn::Conv2d(matrix));
    m_k = attention->put("k", nn::Conv2d(matrix));
    m_v = attention->put("v", nn::Conv2d(matrix));
    m_out = attention->put("proj_out", nn::Conv2d(matrix));
    m_block2 = register_module("block_2", std::make_shared<VaeResBlockImpl>(channels, channels, normGroups));
}

torch::Tensor VaeMiddleImpl::attend(torch::Tensor x)
{
    const torch::Tensor tokens = nn::tokensOf(m_norm(x));
    const auto project = [&](nn::Conv2d &layer) { return nn::linear(tokens, layer->matrixFor(tokens), layer->bias()); };
    const torch::Tensor y = nn::attention(project(m_q), project(m_k), project(m_v), /*heads=*/1);
    torch::Tensor sum = nn::tokensOf(x);
    nn::addLinear(sum, y, m_out->matrixFor(y), m_out->bias());
    return nn::imageOf(sum, x.size(2), x.size(3));
}

torch::Tensor VaeMiddleImpl::forward(const torch::Tensor &x)
{
    return m_block2->forward(attend(m_block1->forward(x)));
}

}  // namespace sg
