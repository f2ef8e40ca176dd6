#include "core/diffusion/unet/unet_config.h"

#include "core/diffusion/nn/config_value.h"

#include <algorithm>

namespace sg {
namespace {

constexpr std::int64_t kSd1Heads = 8;

std::int64_t transformerDepth(const TensorIndex &index, const std::string &transformer)
{
    std::int64_t depth = 0;
    while (index.contains(transformer + "transformer_blocks." + std::to_string(depth) + ".attn1.to_q.weight"))
        ++depth;
    return depth;
}

UNetConfig::Block resBlock(const TensorIndex &index, const std::string &block)
{
    UNetConfig::Block found;
    found.channels = nn::requireDim(index, block + "0.out_layers.3.weight", 0);
    found.depth = transformerDepth(index, block + "1.");
    return found;
}

// The width of the conditioning and the way into the transformers, which are the same in all of them.
void readTransformer(const TensorIndex &index, const std::string &transformer, UNetConfig &config)
{
    config.contextDim = nn::requireDim(index, transformer + "transformer_blocks.0.attn2.to_k.weight", 1);
    config.linearProjection = index.rank(transformer + "proj_in.weight") == 2;
}

}  // namespace

UNetConfig UNetConfig::detect(const TensorIndex &index, const std::string &prefix)
{
    UNetConfig config;
    config.width = nn::requireDim(index, prefix + "input_blocks.0.0.weight", 0);
    config.inChannels = nn::requireDim(index, prefix + "input_blocks.0.0.weight", 1);
    config.outChannels = nn::requireDim(index, prefix + "out.2.weight", 0);
    config.timeChannels = nn::requireDim(index, prefix + "time_embed.0.weight", 0);
    if (index.contains(prefix + "label_emb.0.0.weight"))
        config.vectorDim = nn::requireDim(index, prefix + "label_emb.0.0.weight", 1);
    std::int64_t channels = config.width;
    for (int n = 1;; ++n) {
        const std::string block = prefix + "input_blocks." + std::to_string(n) + ".";
        if (!index.hasPrefix(block)) break;
        if (index.contains(block + "0.op.weight")) {
            config.inputs.push_back({channels, 0, true});
            continue;
        }
        config.inputs.push_back(resBlock(index, block));
        channels = config.inputs.back().channels;
        if (config.inputs.back().depth > 0) readTransformer(index, block + "1.", config);
    }
    config.middleDepth = transformerDepth(index, prefix + "middle_block.1.");
    if (config.middleDepth > 0) readTransformer(index, prefix + "middle_block.1.", config);
    for (int n = 0;; ++n) {
        const std::string block = prefix + "output_blocks." + std::to_string(n) + ".";
        if (!index.hasPrefix(block)) break;
        config.outputs.push_back(resBlock(index, block));
        Block &found = config.outputs.back();
        found.resample = index.contains(block + (found.depth > 0 ? "2" : "1") + ".conv.weight");
    }
    if (config.outputs.size() != config.inputs.size() + 1)
        throw Failure{Error{ErrorCode::UnusableFile, "output_blocks do not mirror input_blocks", prefix}};
    config.headDim = nn::metaInteger(index, "serigraph.unet.head_dim", config.headDim);
    const bool byWidth = config.linearProjection || !index.meta("serigraph.unet.head_dim").empty();
    config.heads = nn::metaInteger(index, "serigraph.unet.heads", byWidth ? 0 : kSd1Heads);
    config.normGroups = nn::metaInteger(index, "serigraph.unet.norm_groups", config.normGroups);
    nn::requireDivisible(config.width, config.normGroups, "serigraph.unet.norm_groups");
    for (const std::vector<Block> *blocks : {&config.inputs, &config.outputs})
        for (const Block &block : *blocks)
            nn::requireDivisible(block.channels, config.normGroups, "serigraph.unet.norm_groups");
    config.checkHeads("serigraph.unet.heads");
    return config;
}

void UNetConfig::checkHeads(std::string_view what) const
{
    const std::int64_t parts = heads > 0 ? heads : headDim;
    for (const std::vector<Block> *blocks : {&inputs, &outputs})
        for (const Block &block : *blocks)
            if (block.depth > 0) nn::requireDivisible(block.channels, parts, what);
    if (middleDepth > 0 && !inputs.empty()) nn::requireDivisible(inputs.back().channels, parts, what);
}

namespace {

// Tensors of a block's own width that are alive together beside what it is given.
constexpr std::int64_t kResBlock = 4;      // h, its norm, the skip's convolution, the sum
constexpr std::int64_t kTransformer = 11;  // norm, tokens, norm3; the two halves of a feed-forward, four times as wide

struct Place {
    std::int64_t height, width;
    std::int64_t pixels() const { return height * width; }
};

}  // namespace

std::uint64_t UNetConfig::forwardBytes(std::int64_t rows, std::int64_t height, std::int64_t width,
                                       int numberBytes) const
{
    std::vector<Place> places{{height, width}};
    std::vector<std::int64_t> skips{this->width * height * width};
    std::int64_t kept = skips.front(), most = 0, channels = this->width;
    Place at = places.front();
    const auto block = [&](std::int64_t given, const Block &made) {
        const std::int64_t pixels = at.pixels();
        const std::int64_t res = given + std::max(given + made.channels, kResBlock * made.channels);
        const std::int64_t transformer = made.depth > 0 ? (1 + kTransformer) * made.channels : 0;
        most = std::max(most, kept + std::max(res, transformer) * pixels);
        channels = made.channels;
    };
    for (const Block &input : inputs) {
        if (input.resample)
            at = {(at.height + 1) / 2, (at.width + 1) / 2};
        else
            block(0, {input.channels, input.depth, false});  // what it is given is one of those that are kept
        channels = input.channels;
        places.push_back(at);
        skips.push_back(channels * at.pixels());
        kept += skips.back();
    }
    block(0, {channels, middleDepth, false});
    for (const Block &output : outputs) {
        const std::int64_t given = channels + skips.back() / at.pixels();
        most = std::max(most, kept + (channels + given) * at.pixels());
        kept -= skips.back();
        skips.pop_back();
        places.pop_back();
        block(given, output);
        if (!output.resample || places.empty()) continue;
        const std::int64_t small = channels * at.pixels();
        at = places.back();
        most = std::max(most, kept + small + channels * at.pixels());
    }
    return static_cast<std::uint64_t>(rows * most) * static_cast<std::uint64_t>(numberBytes);
}

}  // namespace sg
