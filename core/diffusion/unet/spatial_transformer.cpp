#include "core/diffusion/unet/spatial_transformer.h"

#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/probe.h"
#include "core/diffusion/nn/pulse.h"

#include <string>

namespace sg {
namespace {

constexpr double kEntryNormEps = 1e-6;    // the transformer's entry norm; the residual blocks' is 1e-5
constexpr std::int64_t kFeedForward = 4;  // times wider than the tokens

/// Keys  to_q, to_k, to_v.weight, to_out.0.{weight,bias}.
class CrossAttention final : public torch::nn::Module {
public:
    CrossAttention(std::int64_t width, std::int64_t contextDim, std::int64_t heads) : m_heads(heads)
    {
        m_toQ = register_module("to_q", nn::Linear(width, width, false));
        m_toK = register_module("to_k", nn::Linear(contextDim, width, false));
        m_toV = register_module("to_v", nn::Linear(contextDim, width, false));
        m_toOut = register_module("to_out", nn::Slots())->put("0", nn::Linear(width, width));
    }

    /// sum += attention(x to context).
    void addTo(torch::Tensor &sum, const torch::Tensor &x, const torch::Tensor &context)
    {
        const torch::Tensor q = m_toQ(x), k = m_toK(context);
        if (nn::Probe *probe = nn::Probe::current(); probe && !context.is_same(x)) probe->attention(q, k, m_heads);
        const torch::Tensor y = nn::attention(q, k, m_toV(context), m_heads);
        nn::addLinear(sum, y, m_toOut->weightFor(y), m_toOut->bias());
    }

private:
    std::int64_t m_heads;
    nn::Linear m_toQ{nullptr}, m_toK{nullptr}, m_toV{nullptr}, m_toOut{nullptr};
};

/// Keys  net.0.proj, net.2. Source  GEGLU: Shazeer 2020, arXiv:2002.05202.
class FeedForward final : public torch::nn::Module {
public:
    explicit FeedForward(std::int64_t width) : m_inner(kFeedForward * width)
    {
        nn::Slots net = register_module("net", nn::Slots());
        m_proj = net->put("0", nn::Slots())->put("proj", nn::Linear(width, 2 * m_inner));
        m_out = net->put("2", nn::Linear(m_inner, width));
    }

    /// sum += ff(x).
    void addTo(torch::Tensor &sum, const torch::Tensor &x)
    {
        // The two halves apart: each comes out whole in memory, and the gate is finished in place.
        const torch::Tensor value = half(x, 0);
        torch::Tensor gate = half(x, m_inner);
        at::gelu_(gate).mul_(value);
        nn::addLinear(sum, gate, m_out->weightFor(gate), m_out->bias());
    }

private:
    torch::Tensor half(const torch::Tensor &x, std::int64_t row) const
    {
        return nn::linear(x, m_proj->weightFor(x).narrow(0, row, m_inner), m_proj->bias().narrow(0, row, m_inner));
    }

    std::int64_t m_inner;
    nn::Linear m_proj{nullptr}, m_out{nullptr};
};

}  // namespace

class TransformerBlockImpl final : public torch::nn::Module {
public:
    explicit TransformerBlockImpl(const TransformerShape &shape)
    {
        const std::int64_t width = shape.channels;
        m_norm1 = register_module("norm1", nn::LayerNorm(width));
        m_norm2 = register_module("norm2", nn::LayerNorm(width));
        m_norm3 = register_module("norm3", nn::LayerNorm(width));
        m_self = register_module("attn1", std::make_shared<CrossAttention>(width, width, shape.heads));
        m_cross = register_module("attn2", std::make_shared<CrossAttention>(width, shape.contextDim, shape.heads));
        m_ff = register_module("ff", std::make_shared<FeedForward>(width));
    }

    void apply(torch::Tensor &tokens, const torch::Tensor &context)
    {
        const torch::Tensor own = m_norm1(tokens);
        m_self->addTo(tokens, own, own);
        {
            const nn::Probe::Module here("attn2");
            m_cross->addTo(tokens, m_norm2(tokens), context);
        }
        m_ff->addTo(tokens, m_norm3(tokens));
    }

private:
    nn::LayerNorm m_norm1{nullptr}, m_norm2{nullptr}, m_norm3{nullptr};
    std::shared_ptr<CrossAttention> m_self, m_cross;
    std::shared_ptr<FeedForward> m_ff;
};

SpatialTransformerImpl::SpatialTransformerImpl(const TransformerShape &shape) : m_shape(shape)
{
    m_norm = register_module("norm", nn::GroupNorm(shape.normGroups, shape.channels, kEntryNormEps));
    m_in = projection("proj_in");
    nn::Slots blocks = register_module("transformer_blocks", nn::Slots());
    for (std::int64_t i = 0; i < shape.depth; ++i)
        m_blocks.push_back(blocks->put(std::to_string(i), std::make_shared<TransformerBlockImpl>(shape)));
    m_out = projection("proj_out");
}

SpatialTransformerImpl::Projection SpatialTransformerImpl::projection(const std::string &name)
{
    const std::int64_t n = m_shape.channels;
    Projection made;
    if (m_shape.linearProjection)
        made.linear = register_module(name, nn::Linear(n, n));
    else
        made.conv = register_module(name, nn::Conv2d(nn::Conv2dImpl::Shape{n, n, 1, 1, 0}));
    return made;
}

torch::Tensor SpatialTransformerImpl::forward(torch::Tensor x, const torch::Tensor &context)
{
    const torch::Tensor normed = nn::tokensOf(m_norm(x));
    torch::Tensor tokens = nn::linear(normed, m_in.matrixFor(normed), m_in.bias());
    for (std::size_t i = 0; i < m_blocks.size(); ++i) {
        const nn::Probe::Module here("transformer_blocks." + std::to_string(i));
        m_blocks[i]->apply(tokens, context);
        nn::Pulse::beat();
        here.gave(tokens);
    }
    torch::Tensor sum = nn::tokensOf(x);
    nn::addLinear(sum, tokens, m_out.matrixFor(tokens), m_out.bias());
    return nn::imageOf(sum, x.size(2), x.size(3));
}

}  // namespace sg
