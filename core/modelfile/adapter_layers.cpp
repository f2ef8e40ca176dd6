#include "core/modelfile/adapter_keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace sg {
namespace {

using ParameterNames = std::set<std::string, std::less<>>;
using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array kResBlockLayers{Pair{"in_layers.0", "norm1"},          Pair{"in_layers.2", "conv1"},
                                     Pair{"emb_layers.1", "time_emb_proj"}, Pair{"out_layers.0", "norm2"},
                                     Pair{"out_layers.3", "conv2"},         Pair{"skip_connection", "conv_shortcut"}};
constexpr std::array kOutside{Pair{"time_embed.0", "time_embedding.linear_1"},
                              Pair{"time_embed.2", "time_embedding.linear_2"},
                              Pair{"label_emb.0.0", "add_embedding.linear_1"},
                              Pair{"label_emb.0.2", "add_embedding.linear_2"},
                              Pair{"input_blocks.0.0", "conv_in"},
                              Pair{"out.0", "conv_norm_out"},
                              Pair{"out.2", "conv_out"}};
constexpr std::array kOpenClipLayer{Pair{"attn.out_proj", "self_attn.out_proj"}, Pair{"mlp.c_fc", "mlp.fc1"},
                                    Pair{"mlp.c_proj", "mlp.fc2"}, Pair{"ln_1", "layer_norm1"},
                                    Pair{"ln_2", "layer_norm2"}};
constexpr std::array<std::string_view, 3> kThirds{"q_proj", "k_proj", "v_proj"};

template <class Table>
std::string_view lookUp(const Table &table, std::string_view name)
{
    for (const auto &[from, to] : table)
        if (from == name) return to;
    return {};
}

bool anyBeginsWith(const ParameterNames &names, const std::string &prefix)
{
    const auto it = names.lower_bound(prefix);
    return it != names.end() && it->starts_with(prefix);
}

/// diffusers' names of LDM's blocks, both ending in a dot: "input_blocks.1.0." -> "down_blocks.0.resnets.0.".
class UnetBlocks {
public:
    explicit UnetBlocks(const ParameterNames &names)
    {
        int level = 0, resnet = 0;
        for (int n = 1; anyBeginsWith(names, "input_blocks." + std::to_string(n) + "."); ++n) {
            const std::string block = "input_blocks." + std::to_string(n) + ".";
            const std::string theirs = "down_blocks." + std::to_string(level) + ".";
            if (anyBeginsWith(names, block + "0.op.")) {
                m_blocks.emplace_back(block + "0.op.", theirs + "downsamplers.0.conv.");
                ++level;
                resnet = 0;
                continue;
            }
            addBlock(names, block, theirs, resnet++);
        }
        level = resnet = 0;
        for (int n = 0; anyBeginsWith(names, "output_blocks." + std::to_string(n) + "."); ++n) {
            const std::string block = "output_blocks." + std::to_string(n) + ".";
            const std::string theirs = "up_blocks." + std::to_string(level) + ".";
            addBlock(names, block, theirs, resnet++);
            for (const char *slot : {"1.conv.", "2.conv."})
                if (anyBeginsWith(names, block + slot)) {
                    m_blocks.emplace_back(block + slot, theirs + "upsamplers.0.conv.");
                    ++level;
                    resnet = 0;
                }
        }
        addBlock(names, "middle_block.", "mid_block.", 0);
        for (const char *slot : {"1.", "2."})
            if (anyBeginsWith(names, std::string("middle_block.") + slot + "in_layers."))
                m_blocks.emplace_back(std::string("middle_block.") + slot, "mid_block.resnets.1.");
    }

    /// Empty for what is in none of them.
    std::string translate(std::string_view module) const
    {
        if (const std::string_view known = lookUp(kOutside, module); !known.empty()) return std::string(known);
        const std::string dotted = std::string(module) + ".";
        for (const auto &[ours, theirs] : m_blocks) {
            if (!dotted.starts_with(ours)) continue;
            std::string rest = dotted.substr(ours.size());
            if (rest.empty()) return theirs.substr(0, theirs.size() - 1);
            rest.pop_back();
            const std::string_view part = lookUp(kResBlockLayers, rest);
            return theirs + (part.empty() ? rest : std::string(part));
        }
        return {};
    }

private:
    void addBlock(const ParameterNames &names, const std::string &block, const std::string &theirs, int resnet)
    {
        m_blocks.emplace_back(block + "0.", theirs + "resnets." + std::to_string(resnet) + ".");
        if (anyBeginsWith(names, block + "1.proj_in."))
            m_blocks.emplace_back(block + "1.", theirs + "attentions." + std::to_string(resnet) + ".");
    }

    std::vector<std::pair<std::string, std::string>> m_blocks;
};

// Hugging Face's name of a text encoder's module, which may be OpenCLIP's. Without "text_model.".
std::string textModule(std::string_view module)
{
    constexpr std::string_view kBlocks = "transformer.resblocks.";
    if (module == "ln_final") return "final_layer_norm";
    if (module == "token_embedding") return "embeddings.token_embedding";
    if (!module.starts_with(kBlocks)) return std::string(module);
    const std::string_view rest = module.substr(kBlocks.size());
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return {};
    const std::string_view part = lookUp(kOpenClipLayer, rest.substr(dot + 1));
    return part.empty() ? std::string()
                        : "encoder.layers." + std::string(rest.substr(0, dot)) + "." + std::string(part);
}

std::string flat(std::string name)
{
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
}

}  // namespace

void AdapterLayers::add(AdapterNetwork network, const std::vector<std::string> &parameters)
{
    const ParameterNames names(parameters.begin(), parameters.end());
    const UnetBlocks blocks(network == AdapterNetwork::Unet ? names : ParameterNames{});
    for (const std::string &parameter : names) {
        if (parameter == "text_projection") {
            addTarget({network, parameter, {}, -1, true}, parameter, parameter);
        } else if (parameter == "positional_embedding") {
            addTarget({network, parameter, {}, -1, false}, parameter, "embeddings.position_embedding");
        } else if (parameter.ends_with(".attn.in_proj_weight")) {
            const std::string layer = parameter.substr(0, parameter.size() - std::string_view("in_proj_weight").size());
            std::string theirs = textModule(layer + "out_proj");
            theirs.resize(theirs.size() - std::string_view("out_proj").size());
            for (int third = 0; third < 3; ++third)
                addTarget({network, parameter, layer + "in_proj_bias", third, false}, {},
                          theirs + std::string(kThirds[static_cast<std::size_t>(third)]));
        } else if (parameter.ends_with(".weight")) {
            const std::string module = parameter.substr(0, parameter.size() - std::string_view(".weight").size());
            const std::string bias = names.contains(module + ".bias") ? module + ".bias" : std::string();
            addTarget({network, parameter, bias, -1, false}, module,
                      network == AdapterNetwork::Unet ? blocks.translate(module) : textModule(module));
        }
    }
}

void AdapterLayers::addTarget(const AdapterTarget &target, const std::string &own, const std::string &theirs)
{
    std::vector<std::string> flatPrefixes, dottedPrefixes;
    std::vector<std::string> names{theirs};
    if (target.network == AdapterNetwork::Unet) {
        names.push_back(own);
        flatPrefixes = {"lora_unet_", "lycoris_", "lora_transformer_"};
        dottedPrefixes = {"unet.", "", "diffusion_model.", "model.diffusion_model."};
    } else {
        if (theirs != "text_projection") names.insert(names.begin(), "text_model." + theirs);
        if (target.network == AdapterNetwork::Text) {
            flatPrefixes = {"lora_te1_", "lora_te_", "lycoris_"};
            dottedPrefixes = {"text_encoder.", "text_encoders.clip_l.transformer.", "clip_l.transformer.", ""};
        } else {
            flatPrefixes = {"lora_te2_"};
            dottedPrefixes = {"text_encoder_2.", "text_encoders.clip_g.transformer.", "clip_g.transformer."};
        }
    }
    for (const std::string &one : names) {
        if (one.empty()) continue;
        for (const std::string &prefix : flatPrefixes)
            name(prefix + flat(one), target);
        for (const std::string &prefix : dottedPrefixes)
            name(prefix + one, target);
    }
}

void AdapterLayers::name(std::string name, const AdapterTarget &target)
{
    // Older diffusers call the way out of attention "to_out" and not "to_out.0".
    if (name.ends_with(".to_out.0")) m_names.emplace(name.substr(0, name.size() - 2), target);
    m_names.emplace(std::move(name), target);
}

const AdapterTarget *AdapterLayers::find(std::string_view layer) const
{
    const auto it = m_names.find(layer);
    return it == m_names.end() ? nullptr : &it->second;
}

}  // namespace sg
