#include "core/diffusion/clip/clip_text_model.h"

#include "core/diffusion/nn/functions.h"

#include <algorithm>
#include <string>

namespace sg {
namespace {

/// Attention's projections, which the two layouts keep apart or together.
class ClipAttention final : public nn::Leaf {
public:
    explicit ClipAttention(const ClipTextConfig &config) : m_width(config.width), m_heads(config.heads)
    {
        if (config.layout == ClipLayout::OpenClip) {
            m_weight = declare("in_proj_weight", {3 * m_width, m_width});
            m_bias = declare("in_proj_bias", {3 * m_width});
        } else {
            m_q = register_module("q_proj", nn::Linear(m_width, m_width));
            m_k = register_module("k_proj", nn::Linear(m_width, m_width));
            m_v = register_module("v_proj", nn::Linear(m_width, m_width));
        }
        m_out = register_module("out_proj", nn::Linear(m_width, m_width));
    }

    torch::Tensor forward(const torch::Tensor &x)
    {
        if (m_q) return m_out(nn::attention(m_q(x), m_k(x), m_v(x), m_heads, /*causal=*/true));
        const torch::Tensor &weight = usable(m_weight, x), &bias = settled(m_bias);
        const auto third = [&](std::int64_t n) {
            return nn::linear(x, weight.narrow(0, n * m_width, m_width), bias.narrow(0, n * m_width, m_width));
        };
        return m_out(nn::attention(third(0), third(1), third(2), m_heads, /*causal=*/true));
    }

private:
    std::int64_t m_width, m_heads;
    nn::Linear m_q{nullptr}, m_k{nullptr}, m_v{nullptr}, m_out{nullptr};
    torch::Tensor m_weight, m_bias;
};

/// The names inside one layer.
struct LayerNames {
    const char *norm1, *attention, *norm2, *mlpIn, *mlpOut;
};

constexpr LayerNames kHuggingFace{"layer_norm1", "self_attn", "layer_norm2", "fc1", "fc2"};
constexpr LayerNames kOpenClip{"ln_1", "attn", "ln_2", "c_fc", "c_proj"};

}  // namespace

class ClipLayerImpl final : public torch::nn::Module {
public:
    explicit ClipLayerImpl(const ClipTextConfig &config) : m_quickGelu(config.quickGelu())
    {
        const LayerNames &names = config.layout == ClipLayout::OpenClip ? kOpenClip : kHuggingFace;
        m_norm1 = register_module(names.norm1, nn::LayerNorm(config.width));
        m_norm2 = register_module(names.norm2, nn::LayerNorm(config.width));
        m_attention = register_module(names.attention, std::make_shared<ClipAttention>(config));
        nn::Slots mlp = register_module("mlp", nn::Slots());
        m_in = mlp->put(names.mlpIn, nn::Linear(config.width, config.mlpWidth));
        m_out = mlp->put(names.mlpOut, nn::Linear(config.mlpWidth, config.width));
    }

    torch::Tensor forward(torch::Tensor x)
    {
        x = x + m_attention->forward(m_norm1(x));
        torch::Tensor wide = m_in(m_norm2(x));
        wide = m_quickGelu ? at::sigmoid(wide * 1.702).mul_(wide) : at::gelu_(wide);
        return x.add_(m_out(wide));
    }

private:
    bool m_quickGelu;
    nn::LayerNorm m_norm1{nullptr}, m_norm2{nullptr};
    std::shared_ptr<ClipAttention> m_attention;
    nn::Linear m_in{nullptr}, m_out{nullptr};
};

ClipTextModelImpl::ClipTextModelImpl(const ClipTextConfig &config) : m_config(config)
{
    nn::Slots layers;
    if (config.layout == ClipLayout::OpenClip) {
        m_tokens = register_module("token_embedding", nn::Embedding(config.vocabulary, config.width));
        m_barePositions = declare("positional_embedding", {config.positions, config.width});
        if (config.projection > 0) m_projection = declare("text_projection", {config.width, config.projection});
        layers = register_module("transformer", nn::Slots())->put("resblocks", nn::Slots());
        m_finalNorm = register_module("ln_final", nn::LayerNorm(config.width));
    } else {
        nn::Slots embeddings = register_module("embeddings", nn::Slots());
        m_tokens = embeddings->put("token_embedding", nn::Embedding(config.vocabulary, config.width));
        m_positions = embeddings->put("position_embedding", nn::Embedding(config.positions, config.width));
        layers = register_module("encoder", nn::Slots())->put("layers", nn::Slots());
        m_finalNorm = register_module("final_layer_norm", nn::LayerNorm(config.width));
    }
    for (std::int64_t i = 0; i < config.layers; ++i)
        m_layers.push_back(layers->put(std::to_string(i), std::make_shared<ClipLayerImpl>(config)));
}

std::vector<torch::Tensor> ClipTextModelImpl::states(const torch::Tensor &embedded, std::vector<std::int64_t> wanted)
{
    TORCH_CHECK(embedded.dim() == 3 && embedded.size(1) <= m_config.positions, "tokens: [B, at most ",
                m_config.positions, "]");
    const torch::Tensor &positions = m_positions ? m_positions->weight() : settled(m_barePositions);
    torch::Tensor x = embedded + positions.narrow(0, 0, embedded.size(1));
    std::vector<torch::Tensor> found;
    std::int64_t done = 0;
    for (const std::int64_t layers : wanted) {
        TORCH_CHECK(layers >= done && layers <= m_config.layers, "layers: 0 to ", m_config.layers, ", rising");
        for (; done < layers; ++done)
            x = m_layers[static_cast<std::size_t>(done)]->forward(x);
        found.push_back(x);
    }
    return found;
}

torch::Tensor ClipTextModelImpl::pooled(const torch::Tensor &tokens, const torch::Tensor &last)
{
    TORCH_CHECK(m_projection.defined(), "this text encoder has no text_projection");
    const torch::Tensor ends = tokens.argmax(1);  // the end mark is the largest token, and the first of equals is taken
    const torch::Tensor rows = last.index({at::arange(tokens.size(0), ends.options()), ends});
    return at::matmul(m_finalNorm(rows), settled(m_projection));
}

ClipTextEncoder::ClipTextEncoder(const ClipTextConfig &config, const ClipReading &reading)
    : m_reading(reading), m_model(config)
{
    m_traits = {config.vocabulary, config.positions, config.width, reading.padToken};
}

EncodedText ClipTextEncoder::encode(const torch::Tensor &tokens, const torch::Tensor &embedded, std::int64_t clipSkip)
{
    const std::int64_t layers = m_model->config().layers;
    const std::int64_t skip = m_reading.takesClipSkip ? clipSkip : m_reading.skip;
    std::vector<std::int64_t> wanted{layers - std::clamp<std::int64_t>(skip - 1, 0, layers)};
    if (m_reading.pooled) wanted.push_back(layers);
    const std::vector<torch::Tensor> states = m_model->states(embedded, wanted);
    EncodedText made;
    made.rows = m_reading.finalNorm ? m_model->finalNorm(states.front()) : states.front();
    if (m_reading.pooled) made.pooled = m_model->pooled(tokens, states.back());
    return made;
}

}  // namespace sg
