#include "core/diffusion/vae/vae_config.h"

#include "core/diffusion/nn/config_value.h"

namespace sg {
namespace {

// The levels under `prefix` ("…encoder.down." or "…decoder.up."), by number.
std::vector<VaeConfig::Level> levels(const TensorIndex &index, const std::string &prefix)
{
    std::vector<VaeConfig::Level> found;
    for (;;) {
        const std::string level = prefix + std::to_string(found.size()) + ".";
        if (!index.hasPrefix(level)) return found;
        VaeConfig::Level made;
        made.channels = nn::requireDim(index, level + "block.0.conv2.weight", 0);
        while (index.hasPrefix(level + "block." + std::to_string(made.blocks) + "."))
            ++made.blocks;
        found.push_back(made);
    }
}

}  // namespace

VaeConfig VaeConfig::detect(const TensorIndex &index, const std::string &prefix, double latentScale)
{
    VaeConfig config;
    config.pictureChannels = nn::requireDim(index, prefix + "decoder.conv_out.weight", 0);
    config.latentChannels = nn::requireDim(index, prefix + "post_quant_conv.weight", 1);
    config.innerChannels = nn::requireDim(index, prefix + "decoder.conv_in.weight", 1);
    config.middleChannels = nn::requireDim(index, prefix + "decoder.conv_in.weight", 0);
    config.encoderWidth = nn::requireDim(index, prefix + "encoder.conv_in.weight", 0);
    config.encoder = levels(index, prefix + "encoder.down.");
    config.decoder = levels(index, prefix + "decoder.up.");
    if (config.decoder.empty() || config.encoder.size() != config.decoder.size())
        throw Failure{Error{ErrorCode::UnusableFile, "encoder and decoder have different numbers of levels", prefix}};
    config.normGroups = nn::metaInteger(index, "serigraph.vae.norm_groups", config.normGroups);
    config.latentScale = nn::metaNumber(index, "serigraph.latent.scale", latentScale);
    nn::requireDivisible(config.encoderWidth, config.normGroups, "serigraph.vae.norm_groups");
    nn::requireDivisible(config.middleChannels, config.normGroups, "serigraph.vae.norm_groups");
    for (const std::vector<Level> *side : {&config.encoder, &config.decoder})
        for (const Level &level : *side)
            nn::requireDivisible(level.channels, config.normGroups, "serigraph.vae.norm_groups");
    return config;
}

}  // namespace sg
