#include "core/diffusion/vae/vae_config.h"

#include "core/diffusion/nn/config_value.h"

#include <algorithm>

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

// Numbers for each pixel while a residual block runs: what comes in, what is between, what is added, what comes out.
std::int64_t blockNumbers(std::int64_t in, std::int64_t out)
{
    return in == out ? 4 * out : std::max(in + 4 * out, 2 * in + out);
}

constexpr std::int64_t kMiddleNumbers = 8;  // for each channel and pixel while the middle's attention runs

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

std::uint64_t VaeConfig::decodeBytes(std::int64_t height, std::int64_t width, int numberBytes) const
{
    std::int64_t pixels = height * width, channels = middleChannels;
    std::int64_t most = kMiddleNumbers * channels * pixels;
    for (std::size_t n = decoder.size(); n-- > 0;) {
        for (std::int64_t i = 0; i < decoder[n].blocks; ++i) {
            most = std::max(most, blockNumbers(channels, decoder[n].channels) * pixels);
            channels = decoder[n].channels;
        }
        if (n == 0) break;
        most = std::max(most, 5 * channels * pixels);  // and once enlarged
        pixels *= 4;
    }
    return static_cast<std::uint64_t>(most) * static_cast<std::uint64_t>(numberBytes);
}

std::uint64_t VaeConfig::encodeBytes(std::int64_t height, std::int64_t width, int numberBytes) const
{
    const std::int64_t whole = height * width * factor() * factor(), given = 2 * pictureChannels * whole;
    std::int64_t pixels = whole, channels = encoderWidth, most = 0;
    for (std::size_t n = 0; n < encoder.size(); ++n) {
        for (std::int64_t i = 0; i < encoder[n].blocks; ++i) {
            most = std::max(most, blockNumbers(channels, encoder[n].channels) * pixels);
            channels = encoder[n].channels;
        }
        if (n + 1 < encoder.size()) pixels /= 4;
    }
    most = given + std::max(most, kMiddleNumbers * channels * pixels);
    return static_cast<std::uint64_t>(most) * static_cast<std::uint64_t>(numberBytes);
}

std::string vaePrefixIn(const TensorIndex &index)
{
    for (const char *prefix : {"first_stage_model.", "vae.", ""})
        if (index.contains(prefix + std::string("decoder.conv_in.weight"))) return prefix;
    throw Failure{{ErrorCode::UnusableFile, "is no autoencoder: decoder.conv_in.weight is missing", index.path()}};
}

}  // namespace sg
