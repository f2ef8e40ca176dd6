#include "core/diffusion/clip/clip_text_config.h"

#include "core/diffusion/nn/config_value.h"

#include <algorithm>

namespace sg {
namespace {

/// Where each layout keeps what is looked at.
struct Keys {
    const char *tokens;
    const char *positions;
    const char *layers;
    const char *mlp;
};

constexpr Keys kHuggingFaceKeys{"embeddings.token_embedding.weight", "embeddings.position_embedding.weight",
                                "encoder.layers.", "mlp.fc1.weight"};
constexpr Keys kOpenClipKeys{"token_embedding.weight", "positional_embedding", "transformer.resblocks.",
                             "mlp.c_fc.weight"};
constexpr std::int64_t kMostLayers = 256;

}  // namespace

ClipTextConfig ClipTextConfig::detect(const TensorIndex &index, const std::string &prefix, const std::string &headsKey)
{
    ClipTextConfig config;
    if (index.contains(prefix + kOpenClipKeys.tokens)) config.layout = ClipLayout::OpenClip;
    const Keys &keys = config.layout == ClipLayout::OpenClip ? kOpenClipKeys : kHuggingFaceKeys;
    config.vocabulary = nn::requireDim(index, prefix + keys.tokens, 0);
    config.width = nn::requireDim(index, prefix + keys.tokens, 1);
    config.positions = nn::requireDim(index, prefix + keys.positions, 0);
    config.mlpWidth = nn::requireDim(index, prefix + keys.layers + "0." + keys.mlp, 0);
    while (config.layers < kMostLayers && index.hasPrefix(prefix + keys.layers + std::to_string(config.layers) + "."))
        ++config.layers;
    if (config.layout == ClipLayout::OpenClip)
        config.projection = std::max<std::int64_t>(index.dim(prefix + "text_projection", 1), 0);
    config.heads = nn::metaInteger(index, headsKey, std::max<std::int64_t>(config.width / 64, 1));
    nn::requireDivisible(config.width, config.heads, headsKey);
    return config;
}

}  // namespace sg
