#pragma once

#include "core/diffusion/nn/layers.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// What a CLIP text encoder's tensors say about it, and its heads, which they do not.
struct ClipTextConfig {
    std::int64_t vocabulary = 0;
    std::int64_t positions = 0;  ///< longest row of tokens: 77
    std::int64_t width = 0;
    std::int64_t mlpWidth = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;

    /// From the tensors under `prefix`; heads from metadata `serigraph.text.heads`, else width / 64.
    /// Errors  throws Failure UnusableFile.
    static ClipTextConfig detect(const TensorIndex &index, const std::string &prefix);
};

class ClipLayerImpl;

/// CLIP ViT-L's text encoder, with quick-GELU.
/// Shapes  tokens [B, N] int64 -> [B, N, width], after the final layer norm.
/// Keys    embeddings.*, encoder.layers.N.*, final_layer_norm.*, as in Hugging Face's CLIPTextModel.
/// Source  Radford et al. 2021, arXiv:2103.00020, section 2.4.
class ClipTextModelImpl final : public torch::nn::Module {
public:
    explicit ClipTextModelImpl(const ClipTextConfig &config);
    /// `skip` 1 is the last layer's output, 2 the one before it …: A1111's "clip skip". The final layer norm is applied
    /// to either.
    torch::Tensor forward(const torch::Tensor &tokens, std::int64_t skip = 1);
    const ClipTextConfig &config() const { return m_config; }

private:
    ClipTextConfig m_config;
    nn::Embedding m_tokens{nullptr}, m_positions{nullptr};
    std::vector<std::shared_ptr<ClipLayerImpl>> m_layers;
    nn::LayerNorm m_finalNorm{nullptr};
};
TORCH_MODULE(ClipTextModel);

}  // namespace sg
