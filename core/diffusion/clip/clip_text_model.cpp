#include "core/diffusion/clip/clip_text_model.h"

#include "core/base/error.h"
#include "core/diffusion/nn/config_value.h"
#include "core/diffusion/nn/functions.h"

#include <algorithm>

namespace sg {

ClipTextConfig ClipTextConfig::detect(const TensorIndex &index, const std::string &prefix)
{
    ClipTextConfig config;
    const std::string tokens = prefix + "embeddings.token_embedding.weight";
    config.vocabulary = nn::requireDim(index, tokens, 0);
    config.width = nn::requireDim(index, tokens, 1);
    config.positions = nn::requireDim(index, prefix + "embeddings.position_embedding.weight", 0);
    config.mlpWidth = nn::requireDim(index, prefix + "encoder.layers.0.mlp.fc1.weight", 0);
    while (index.hasPrefix(prefix + "encoder.layers." + std::to_string(config.layers) + "."))
        ++config.layers;
    config.heads = nn::metaInteger(index, "serigraph.text.heads", std::max<std::int64_t>(config.width / 64, 1));
    nn::requireDivisible(config.width, config.heads, "serigraph.text.heads");
    return config;
}

class ClipLayerImpl final : public torch::nn::Module {
public:
    explicit ClipLayerImpl(const ClipTextConfig &config);
    torch::Tensor forward(torch::Tensor x);

private:
    std::int64_t m_heads;
    nn::LayerNorm m_norm1{nullptr}, m_norm2{nullptr};
    nn::Linear m_q{nullptr}, m_k{nullptr}, m_v{nullptr}, m_out{nullptr};
    nn::Linear m_fc1{nullptr}, m_fc2{nullptr};
};

ClipLayerImpl::ClipLayerImpl(const ClipTextConfig &config) : m_heads(config.heads)
{
    m_norm1 = register_module("layer_norm1", nn::LayerNorm(config.width));
    m_norm2 = register_module("layer_norm2", nn::LayerNorm(config.width));
    nn::Slots attention = register_module("self_attn", nn::Slots());
    m_q = attention->put("q_proj", nn::Linear(config.width, config.width));
    m_k = attention->put("k_proj", nn::Linear(config.width, config.width));
    m_v = attention->put("v_proj", nn::Linear(config.width, config.width));
    m_out = attention->put("out_proj", nn::Linear(config.width, config.width));
    nn::Slots mlp = register_module("mlp", nn::Slots());
    m_fc1 = mlp->put("fc1", nn::Linear(config.width, config.mlpWidth));
    m_fc2 = mlp->put("fc2", nn::Linear(config.mlpWidth, config.width));
}

torch::Tensor ClipLayerImpl::forward(torch::Tensor x)
{
    const torch::Tensor h = m_norm1(x);
    x = x + m_out(nn::attention(m_q(h), m_k(h), m_v(h), m_heads, /*causal=*/true));
    const torch::Tensor wide = m_fc1(m_norm2(x));
    return x.add_(m_fc2(at::sigmoid(wide * 1.702).mul_(wide)));  // quick-GELU
}

ClipTextModelImpl::ClipTextModelImpl(const ClipTextConfig &config) : m_config(config)
{
    nn::Slots embeddings = register_module("embeddings", nn::Slots());
    m_tokens = embeddings->put("token_embedding", nn::Embedding(config.vocabulary, config.width));
    m_positions = embeddings->put("position_embedding", nn::Embedding(config.positions, config.width));
    nn::Slots encoder = register_module("encoder", nn::Slots());
    nn::Slots layers = encoder->put("layers", nn::Slots());
    for (std::int64_t i = 0; i < config.layers; ++i)
        m_layers.push_back(layers->put(std::to_string(i), std::make_shared<ClipLayerImpl>(config)));
    m_finalNorm = register_module("final_layer_norm", nn::LayerNorm(config.width));
}

torch::Tensor ClipTextModelImpl::forward(const torch::Tensor &tokens, std::int64_t skip)
{
    TORCH_CHECK(tokens.dim() == 2 && tokens.size(1) <= m_config.positions, "tokens: [B, at most ", m_config.positions,
                "]");
    TORCH_CHECK(skip >= 1 && skip <= m_config.layers + 1, "skip: 1 to ", m_config.layers + 1);
    torch::Tensor x = m_tokens(tokens) + m_positions->weight().narrow(0, 0, tokens.size(1));
    for (std::int64_t i = 0; i < m_config.layers - (skip - 1); ++i)
        x = m_layers[static_cast<std::size_t>(i)]->forward(x);
    return m_finalNorm(x);
}

}  // namespace sg
