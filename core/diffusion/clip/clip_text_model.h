#pragma once

#include "core/diffusion/clip/clip_text_config.h"
#include "core/diffusion/clip/text_encoder.h"
#include "core/diffusion/nn/layers.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace sg {

class ClipLayerImpl;

/// A CLIP text encoder: OpenAI's ViT-L, OpenCLIP's ViT-H and ViT-bigG.
/// Keys    embeddings.*, encoder.layers.N.*, final_layer_norm.*, as in Hugging Face's CLIPTextModel; or
/// token_embedding,
///         positional_embedding, transformer.resblocks.N.*, ln_final.*, text_projection, as in OpenCLIP.
/// Source  Radford et al. 2021, arXiv:2103.00020, section 2.4; Cherti et al. 2022, arXiv:2212.07143.
class ClipTextModelImpl final : public nn::Leaf {
public:
    explicit ClipTextModelImpl(const ClipTextConfig &config);
    /// Shapes  [B, N] int64 -> [B, N, width], without positions.
    torch::Tensor embed(const torch::Tensor &tokens) { return m_tokens(tokens); }
    /// The outputs of the first `layers` layers [B, N, width], rising: those after each of `wanted` (0: what goes in),
    /// one after the other, no layer computed that none of them needs.
    std::vector<torch::Tensor> states(const torch::Tensor &embedded, std::vector<std::int64_t> wanted);
    torch::Tensor finalNorm(const torch::Tensor &x) { return m_finalNorm(x); }
    /// The last layer's row at each first end mark, normalised and projected. Shapes  [B, N, width] -> [B, projection].
    torch::Tensor pooled(const torch::Tensor &tokens, const torch::Tensor &last);
    const ClipTextConfig &config() const { return m_config; }

private:
    ClipTextConfig m_config;
    nn::Embedding m_tokens{nullptr}, m_positions{nullptr};
    torch::Tensor m_barePositions, m_projection;
    std::vector<std::shared_ptr<ClipLayerImpl>> m_layers;
    nn::LayerNorm m_finalNorm{nullptr};
};
TORCH_MODULE(ClipTextModel);

/// A CLIP and its reading.
class ClipTextEncoder final : public TextEncoder {
public:
    ClipTextEncoder(const ClipTextConfig &config, const ClipReading &reading);
    using TextEncoder::encode;
    const Traits &traits() const override { return m_traits; }
    torch::Tensor embed(const torch::Tensor &tokens) override { return m_model->embed(tokens); }
    EncodedText encode(const torch::Tensor &tokens, const torch::Tensor &embedded, std::int64_t clipSkip) override;
    torch::nn::Module &module() override { return *m_model; }

private:
    ClipReading m_reading;
    Traits m_traits;
    ClipTextModel m_model;
};

}  // namespace sg
