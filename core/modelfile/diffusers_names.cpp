#include "core/modelfile/key_dialect.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace sg {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 6> kResBlock{{{"norm1.", "in_layers.0."},
                                         {"conv1.", "in_layers.2."},
                                         {"time_emb_proj.", "emb_layers.1."},
                                         {"norm2.", "out_layers.0."},
                                         {"conv2.", "out_layers.3."},
                                         {"conv_shortcut.", "skip_connection."}}};
constexpr std::array<Pair, 10> kUnetOutside{{{"conv_in.", "input_blocks.0.0."},
                                             {"time_embedding.linear_1.", "time_embed.0."},
                                             {"time_embedding.linear_2.", "time_embed.2."},
                                             {"add_embedding.linear_1.", "label_emb.0.0."},
                                             {"add_embedding.linear_2.", "label_emb.0.2."},
                                             {"class_embedding.linear_1.", "label_emb.0.0."},
                                             {"class_embedding.linear_2.", "label_emb.0.2."},
                                             {"class_embedding.weight", "label_emb.weight"},
                                             {"conv_norm_out.", "out.0."},
                                             {"conv_out.", "out.2."}}};
constexpr std::array<Pair, 10> kVaeAttention{{{"group_norm.", "norm."},
                                              {"to_q.", "q."},
                                              {"to_k.", "k."},
                                              {"to_v.", "v."},
                                              {"to_out.0.", "proj_out."},
                                              {"query.", "q."},
                                              {"key.", "k."},
                                              {"value.", "v."},
                                              {"proj_attn.", "proj_out."},
                                              {"norm.", "norm."}}};

template <std::size_t Count>
std::string replaced(std::string_view name, const std::array<Pair, Count> &table, const std::string &in = {})
{
    for (const auto &[theirs, ours] : table)
        if (name.starts_with(theirs)) return in + std::string(ours) + std::string(name.substr(theirs.size()));
    return {};
}

/// Takes "word." off the front.
bool take(std::string_view &name, std::string_view word)
{
    if (!name.starts_with(word) || name.size() <= word.size() || name[word.size()] != '.') return false;
    name.remove_prefix(word.size() + 1);
    return true;
}

/// Takes "12." off the front.
std::optional<int> takeNumber(std::string_view &name)
{
    int value = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
    const auto length = static_cast<std::size_t>(end - name.data());
    if (error != std::errc() || value < 0 || value > 999 || length >= name.size() || *end != '.') return std::nullopt;
    name.remove_prefix(length + 1);
    return value;
}

bool any(const TensorIndex &index, const std::string &prefix, int number, std::string_view rest)
{
    return index.hasPrefix(prefix + std::to_string(number) + std::string(rest));
}

std::string number(int value)
{
    return std::to_string(value);
}

}  // namespace

DiffusersNames DiffusersNames::ofUnet(const TensorIndex &index, const std::string &prefix)
{
    DiffusersNames names;
    names.m_perBlock = 0;
    while (any(index, prefix + "down_blocks.0.resnets.", names.m_perBlock, "."))
        ++names.m_perBlock;
    for (int i = 0; any(index, prefix + "up_blocks.", i, "."); ++i)
        names.m_upAttention.push_back(any(index, prefix + "up_blocks.", i, ".attentions."));
    return names;
}

DiffusersNames DiffusersNames::ofVae(const TensorIndex &index, const std::string &prefix)
{
    DiffusersNames names;
    names.m_levels = 0;
    while (any(index, prefix + "decoder.up_blocks.", names.m_levels, "."))
        ++names.m_levels;
    return names;
}

std::string DiffusersNames::unet(std::string_view name) const
{
    if (std::string outside = replaced(name, kUnetOutside); !outside.empty()) return outside;
    if (take(name, "mid_block")) {
        const bool residual = take(name, "resnets");
        if (!residual && !take(name, "attentions")) return {};
        const std::optional<int> j = takeNumber(name);
        if (!j) return {};
        const std::string at = "middle_block." + number(residual ? 2 * *j : 2 * *j + 1) + ".";
        return residual ? replaced(name, kResBlock, at) : at + std::string(name);
    }
    const bool down = take(name, "down_blocks");
    if (!down && !take(name, "up_blocks")) return {};
    const std::optional<int> i = takeNumber(name);
    if (!i) return {};
    const int rows = m_perBlock + 1;
    const auto block = [&](int j) {
        return (down ? "input_blocks." : "output_blocks.") + number(*i * rows + j + down) + ".";
    };
    if (take(name, "resnets")) {
        const std::optional<int> j = takeNumber(name);
        return j ? replaced(name, kResBlock, block(*j) + "0.") : std::string();
    }
    if (take(name, "attentions")) {
        const std::optional<int> j = takeNumber(name);
        return j ? block(*j) + "1." + std::string(name) : std::string();
    }
    if (down && take(name, "downsamplers.0.conv")) return block(m_perBlock) + "0.op." + std::string(name);
    if (!down && take(name, "upsamplers.0.conv")) {
        const auto place = static_cast<std::size_t>(*i);
        const bool attends = place < m_upAttention.size() && m_upAttention[place];
        return block(m_perBlock) + (attends ? "2.conv." : "1.conv.") + std::string(name);
    }
    return {};
}

std::string DiffusersNames::vae(std::string_view name) const
{
    if (name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.")) return std::string(name);
    std::string side = "encoder.";
    if (!take(name, "encoder")) {
        if (!take(name, "decoder")) return {};
        side = "decoder.";
    }
    if (name.starts_with("conv_in.") || name.starts_with("conv_out.")) return side + std::string(name);
    if (take(name, "conv_norm_out")) return side + "norm_out." + std::string(name);
    const auto residual = [&](const std::string &at, std::string_view rest) {
        return take(rest, "conv_shortcut") ? at + "nin_shortcut." + std::string(rest) : at + std::string(rest);
    };
    if (take(name, "mid_block.attentions.0")) return replaced(name, kVaeAttention, side + "mid.attn_1.");
    if (take(name, "mid_block.resnets")) {
        const std::optional<int> j = takeNumber(name);
        return j ? residual(side + "mid.block_" + number(*j + 1) + ".", name) : std::string();
    }
    const bool down = take(name, "down_blocks");
    if (!down && !take(name, "up_blocks")) return {};
    const std::optional<int> i = takeNumber(name);
    if (!i) return {};
    const std::string level = side + (down ? "down." + number(*i) : "up." + number(m_levels - 1 - *i)) + ".";
    if (take(name, "resnets")) {
        const std::optional<int> j = takeNumber(name);
        return j ? residual(level + "block." + number(*j) + ".", name) : std::string();
    }
    if (take(name, "downsamplers.0")) return level + "downsample." + std::string(name);
    if (take(name, "upsamplers.0")) return level + "upsample." + std::string(name);
    return {};
}

}  // namespace sg
