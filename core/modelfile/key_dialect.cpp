#include "core/modelfile/key_dialect.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace sg {
namespace {

const std::string kUnet = "model.diffusion_model.";
const std::string kVae = "first_stage_model.";
const std::string kSd1Text = "cond_stage_model.transformer.";
const std::string kSd2Text = "cond_stage_model.model.";
const std::string kSdxlText = "conditioner.embedders.";
constexpr std::int64_t kSd2Width = 1024, kBigGWidth = 1280;

/// Where a network's names begin in the file and in the single file.
struct Place {
    std::string theirs;
    std::string ours;
    bool openClip = false;  ///< of a text encoder: its canonical names are OpenCLIP's
};

bool isDiffusersUnet(const TensorIndex &index, const std::string &prefix)
{
    return index.contains(prefix + "conv_in.weight") && index.hasPrefix(prefix + "down_blocks.0.resnets.0.") &&
           index.hasPrefix(prefix + "up_blocks.0.") && index.hasPrefix(prefix + "time_embedding.");
}

/// A ControlNet begins like a UNet.
bool isLdmUnet(const TensorIndex &index, const std::string &prefix)
{
    return index.contains(prefix + "input_blocks.0.0.weight") && index.hasPrefix(prefix + "output_blocks.") &&
           !index.hasPrefix(prefix + "input_hint_block.") && !index.hasPrefix(prefix + "zero_convs.");
}

bool isVae(const TensorIndex &index, const std::string &prefix)
{
    return index.rank(prefix + "decoder.conv_in.weight") == 4 || index.rank(prefix + "encoder.conv_in.weight") == 4;
}

/// transformers' text encoder below `prefix`, with or without its "text_model.".
std::int64_t hfTextWidth(const TensorIndex &index, const std::string &prefix)
{
    return std::max(index.dim(prefix + "text_model.embeddings.token_embedding.weight", 1),
                    index.dim(prefix + "embeddings.token_embedding.weight", 1));
}

std::vector<Place> textPlaces(const TensorIndex &index)
{
    std::vector<Place> places;
    const auto add = [&](const std::string &theirs, const std::string &ours, bool openClip) {
        if (hfTextWidth(index, theirs) > 0) places.push_back({theirs, ours, openClip});
    };
    const bool second = hfTextWidth(index, "text_encoder_2.") > 0;
    const bool first = hfTextWidth(index, "text_encoder.") > 0;
    // A folder says which activation its encoder has: OpenCLIP's is the exact GELU.
    const auto sd2 = [&](const std::string &prefix) {
        return hfTextWidth(index, prefix) == kSd2Width || index.meta("serigraph.text.activation") == "gelu";
    };
    if (second) {
        add("text_encoder.", kSdxlText + "0.transformer.", false);
        add("text_encoder_2.", kSdxlText + (first ? "1.model." : "0.model."), true);
    } else {
        add("text_encoder.", sd2("text_encoder.") ? kSd2Text : kSd1Text, sd2("text_encoder."));
    }
    add(kSd1Text, sd2(kSd1Text) ? kSd2Text : kSd1Text, sd2(kSd1Text));
    add(kSdxlText + "0.transformer.", kSdxlText + "0.transformer.", false);
    const std::int64_t width = hfTextWidth(index, "");
    if (width == kBigGWidth)
        add("", kSdxlText + "1.model.", true);
    else
        add("", sd2("") ? kSd2Text : kSd1Text, sd2(""));
    return places;
}

/// OpenCLIP's own names without a prefix.
std::optional<Place> bareOpenClip(const TensorIndex &index)
{
    if (!index.hasPrefix("transformer.resblocks.0.") || index.rank("token_embedding.weight") != 2) return std::nullopt;
    const bool bigG = index.dim("token_embedding.weight", 1) == kBigGWidth;
    return Place{"", bigG ? kSdxlText + "1.model." : kSd2Text, true};
}

/// Takes tensors one by one into an index of canonical names.
class Renamer {
public:
    explicit Renamer(const TensorIndex &index) : m_index(index) {}

    void unet(const std::string &prefix)
    {
        if (isDiffusersUnet(m_index, prefix)) {
            const DiffusersNames names = DiffusersNames::ofUnet(m_index, prefix);
            each(prefix, [&](std::string_view name, const TensorInfo &info) {
                if (const std::string ours = names.unet(name); !ours.empty()) put(prefix, name, kUnet + ours, info);
            });
        } else if (prefix != kUnet && isLdmUnet(m_index, prefix)) {
            each(prefix, [&](std::string_view name, const TensorInfo &info) {
                for (const std::string_view part :
                     {"input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out."})
                    if (name.starts_with(part)) put(prefix, name, kUnet + std::string(name), info);
            });
        }
    }

    void vae(const std::string &prefix)
    {
        if (!isVae(m_index, prefix)) return;
        const DiffusersNames names = DiffusersNames::ofVae(m_index, prefix);
        const bool diffusers =
            m_index.hasPrefix(prefix + "decoder.up_blocks.") || m_index.hasPrefix(prefix + "encoder.down_blocks.");
        each(prefix, [&](std::string_view name, const TensorInfo &info) {
            std::string ours = diffusers ? names.vae(name) : std::string();
            for (const std::string_view part : {"encoder.", "decoder.", "quant_conv.", "post_quant_conv."})
                if (!diffusers && name.starts_with(part)) ours = name;
            if (ours.empty()) return;
            TensorInfo shaped = info;
            if (ours.find(".mid.attn_1.") != std::string::npos && ours.ends_with(".weight") && info.shape.size() == 2)
                shaped.shape.resize(4, 1);
            if (!shaped.strides.empty()) shaped.strides.resize(shaped.shape.size(), 1);
            put(prefix, name, kVae + ours, shaped);
        });
    }

    void text(const Place &place)
    {
        each(place.theirs, [&](std::string_view name, const TensorInfo &info) {
            const bool whole = name.starts_with("text_model.") || name.starts_with("text_projection.");
            if (!whole && !name.starts_with("embeddings.") && !name.starts_with("encoder.layers.") &&
                !name.starts_with("final_layer_norm."))
                return;
            const std::string theirs = (whole ? "" : "text_model.") + std::string(name);
            if (!place.openClip) {
                put(place.theirs, name, place.ours + theirs, info);
            } else if (theirs == "text_projection.weight" && info.shape.size() == 2) {
                put(place.theirs, name, place.ours + "text_projection", info.transposed());
            } else if (const std::string ours = openClipName(theirs); !ours.empty()) {
                put(place.theirs, name, place.ours + ours, info);
            } else {
                joinQkv(place, name, theirs, info);
            }
        });
    }

    void openClip(const Place &place)
    {
        each(place.theirs, [&](std::string_view name, const TensorInfo &info) {
            for (const std::string_view part : {"transformer.resblocks.", "token_embedding.", "positional_embedding",
                                                "ln_final.", "text_projection", "logit_scale"})
                if (name.starts_with(part)) put(place.theirs, name, place.ours + std::string(name), info);
        });
    }

    TensorIndex finish(const NameOptions &options)
    {
        for (const auto &[name, info] : m_index.tensors())
            if (!m_taken.contains(name)) m_named.emplace(name, info);
        if (options.preferEma) takeEma();
        TensorIndex named(m_index.path(), m_index.fileSize(), m_index.metadata(), std::move(m_named));
        named.setSources(m_index.path(), m_index.identity(), m_index.files());
        return named;
    }

private:
    template <class Visit>
    void each(const std::string &prefix, const Visit &visit)
    {
        const TensorIndex::Tensors &all = m_index.tensors();
        for (auto it = all.lower_bound(prefix); it != all.end() && it->first.starts_with(prefix); ++it)
            visit(std::string_view(it->first).substr(prefix.size()), it->second);
    }

    void put(const std::string &prefix, std::string_view name, std::string ours, const TensorInfo &info)
    {
        std::string theirs = prefix + std::string(name);
        if (ours != theirs && m_index.contains(ours)) return;
        if (!m_taken.contains(theirs) && m_named.emplace(std::move(ours), info).second)
            m_taken.insert(std::move(theirs));
    }

    // transformers has three projections where OpenCLIP has one of three times the rows.
    void joinQkv(const Place &place, std::string_view name, const std::string &theirs, const TensorInfo &info)
    {
        const std::size_t at = theirs.find(".self_attn.q_proj.");
        constexpr std::string_view kLayers = "text_model.encoder.layers.";
        if (at == std::string::npos || !theirs.starts_with(kLayers) || info.shape.empty() ||
            info.shape[0] > std::numeric_limits<std::int64_t>::max() / 3)
            return;
        const std::string rest = theirs.substr(at + std::string_view(".self_attn.q_proj.").size());
        TensorInfo joined = info;
        joined.strides.clear();
        joined.parts = {info};
        for (const char *other : {"k_proj", "v_proj"}) {
            std::string key = place.theirs + std::string(name);
            key.replace(key.rfind("q_proj"), 6, other);
            const TensorInfo *part = m_index.find(key);
            if (!part || part->shape != info.shape) return;
            joined.parts.push_back(*part);
            joined.shape[0] += part->shape[0];
            joined.bytes += part->bytes;
            m_taken.insert(std::move(key));
        }
        const std::string layer = theirs.substr(kLayers.size(), at - kLayers.size());
        put(place.theirs, name, place.ours + "transformer.resblocks." + layer + ".attn.in_proj_" + rest, joined);
    }

    // model_ema.* names are the model's without dots: model.diffusion_model.out.0.bias is
    // model_ema.diffusion_modelout0bias.
    void takeEma()
    {
        for (auto &[name, info] : m_named) {
            if (!name.starts_with(kUnet)) continue;
            std::string flat = name.substr(std::string_view("model.").size());
            flat.erase(std::remove(flat.begin(), flat.end(), '.'), flat.end());
            const auto ema = m_named.find("model_ema." + flat);
            if (ema != m_named.end() && ema->second.shape == info.shape) std::swap(info, ema->second);
        }
    }

    const TensorIndex &m_index;
    TensorIndex::Tensors m_named;
    std::set<std::string, std::less<>> m_taken;
};

}  // namespace

std::string openClipName(std::string_view name)
{
    if (name == "text_model.embeddings.token_embedding.weight") return "token_embedding.weight";
    if (name == "text_model.embeddings.position_embedding.weight") return "positional_embedding";
    constexpr std::string_view kNorm = "text_model.final_layer_norm.", kLayers = "text_model.encoder.layers.";
    if (name.starts_with(kNorm)) return "ln_final." + std::string(name.substr(kNorm.size()));
    if (!name.starts_with(kLayers)) return {};
    name.remove_prefix(kLayers.size());
    const std::size_t dot = std::min(name.find('.'), name.size());
    const std::string layer = "transformer.resblocks." + std::string(name.substr(0, dot));
    const std::string_view part = name.substr(dot);
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kParts{
        {{".layer_norm1.", ".ln_1."},
         {".layer_norm2.", ".ln_2."},
         {".mlp.fc1.", ".mlp.c_fc."},
         {".mlp.fc2.", ".mlp.c_proj."},
         {".self_attn.out_proj.", ".attn.out_proj."}}};
    for (const auto &[theirs, ours] : kParts)
        if (part.starts_with(theirs)) return layer + std::string(ours) + std::string(part.substr(theirs.size()));
    return {};
}

TensorIndex canonicalNames(const TensorIndex &index, const NameOptions &options)
{
    Renamer renamer(index);
    // ControlNets and adapters begin like other networks, and keep their own names.
    const bool other = index.hasPrefix("controlnet_cond_embedding.") || index.hasPrefix("control_model.") ||
                       index.hasPrefix("adapter.");
    for (const char *prefix : {"model.diffusion_model.", "unet.", "diffusion_model.", "model.", ""})
        if (!other) renamer.unet(prefix);
    for (const char *prefix : {"first_stage_model.", "vae.", ""})
        renamer.vae(prefix);
    for (const Place &place : textPlaces(index))
        renamer.text(place);
    if (const std::optional<Place> place = bareOpenClip(index)) renamer.openClip(*place);
    return renamer.finish(options);
}

}  // namespace sg
