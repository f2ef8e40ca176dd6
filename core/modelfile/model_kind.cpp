#include "core/modelfile/model_kind.h"

#include "core/modelfile/checkpoint_marks.h"

#include <array>
#include <utility>

namespace sg {
namespace {

using Names = std::array<std::pair<ModelKind, std::string_view>, 10>;
constexpr Names kKindNames{{
    {ModelKind::Unknown, "unknown"},
    {ModelKind::Checkpoint, "checkpoint"},
    {ModelKind::Lora, "lora"},
    {ModelKind::Vae, "vae"},
    {ModelKind::Embedding, "embedding"},
    {ModelKind::ControlNet, "controlNet"},
    {ModelKind::Upscaler, "upscaler"},
    {ModelKind::Taesd, "taesd"},
    {ModelKind::TextEncoder, "textEncoder"},
    {ModelKind::Hypernetwork, "hypernetwork"},
}};
constexpr std::array<std::pair<BaseFamily, std::string_view>, 5> kFamilyNames{{
    {BaseFamily::Unknown, "unknown"},
    {BaseFamily::Sd1, "sd1"},
    {BaseFamily::Sd2, "sd2"},
    {BaseFamily::Sdxl, "sdxl"},
    {BaseFamily::Other, "other"},
}};

BaseFamily familyOfContext(std::int64_t width)
{
    switch (width) {
    case 768:
        return BaseFamily::Sd1;
    case 1024:
        return BaseFamily::Sd2;
    case 1280:  // the refiner's text encoder
    case 2048:
        return BaseFamily::Sdxl;
    default:
        return BaseFamily::Unknown;
    }
}

/// Last dimension of the first tensor whose name holds `part`; -1 when there is none.
std::int64_t lastDimOf(const TensorIndex &index, std::string_view part)
{
    for (const auto &[name, tensor] : index.tensors())
        if (name.find(part) != std::string::npos && tensor.shape.size() >= 2) return tensor.shape[1];
    return -1;
}

bool hasPart(const TensorIndex &index, std::string_view part)
{
    for (const auto &[name, tensor] : index.tensors())
        if (name.find(part) != std::string::npos) return true;
    return false;
}

/// What the file says of itself, for tiny and unusual networks.
BaseFamily familyOfMetadata(const TensorIndex &index)
{
    for (const std::string_view key : {"modelspec.architecture", "ss_base_model_version", "ss_sd_model_name"}) {
        const std::string_view said = index.meta(key);
        if (said.empty()) continue;
        if (said.find("xl") != std::string_view::npos) return BaseFamily::Sdxl;
        if (said.starts_with("stable-diffusion-v1") || said.starts_with("sd_v1") || said.starts_with("sd_1"))
            return BaseFamily::Sd1;
        if (said.starts_with("stable-diffusion-v2") || said.starts_with("sd_v2") || said.starts_with("sd_2"))
            return BaseFamily::Sd2;
        if (said.starts_with("stable-diffusion-3") || said.starts_with("stable-diffusion-v3") ||
            said.starts_with("sd3") || said.starts_with("flux") || said.starts_with("Flux"))
            return BaseFamily::Other;
    }
    return BaseFamily::Unknown;
}

BaseFamily familyOr(BaseFamily first, BaseFamily second)
{
    return first != BaseFamily::Unknown ? first : second;
}

std::string contextWords(std::int64_t width)
{
    return width > 0 ? ", context of " + std::to_string(width) : std::string();
}

using Found = std::optional<ModelDescription>;

Found later(const TensorIndex &index, std::string_view prefix)
{
    const std::string p(prefix);
    if (index.hasPrefix(p + "joint_blocks."))
        return ModelDescription{ModelKind::Checkpoint, BaseFamily::Other, p + "joint_blocks: Stable Diffusion 3"};
    if (index.hasPrefix(p + "double_blocks."))
        return ModelDescription{ModelKind::Checkpoint, BaseFamily::Other, p + "double_blocks: Flux"};
    return std::nullopt;
}

Found asCheckpoint(const TensorIndex &index)
{
    for (const std::string_view prefix : {"model.diffusion_model.", ""})
        if (Found found = later(index, prefix)) return found;
    if (!index.contains("model.diffusion_model.input_blocks.0.0.weight")) return std::nullopt;
    const std::int64_t context = lastDimOf(index, "attn2.to_k.weight");
    BaseFamily family = familyOfContext(context);
    std::string reason = "UNet under model.diffusion_model" + contextWords(context);
    if (index.hasPrefix("cond_stage_model.transformer.")) {
        family = BaseFamily::Sd1;
        reason += ", CLIP under cond_stage_model.transformer";
    } else if (index.hasPrefix("cond_stage_model.model.")) {
        family = BaseFamily::Sd2;
        reason += ", OpenCLIP under cond_stage_model.model";
    } else if (index.hasPrefix("conditioner.embedders.")) {
        family = BaseFamily::Sdxl;
        reason += ", text encoders under conditioner.embedders";
    }
    const std::string variant = checkpointVariant(index, family);
    if (!variant.empty()) reason += ": " + variant;
    if (!index.hasPrefix("first_stage_model.")) reason += ", no VAE";
    return ModelDescription{ModelKind::Checkpoint, familyOr(family, familyOfMetadata(index)), reason, variant,
                            refusedRelative(index)};
}

Found asControlNet(const TensorIndex &index)
{
    const std::int64_t context = lastDimOf(index, "attn2.to_k.weight");
    const BaseFamily family = familyOr(familyOfContext(context), familyOfMetadata(index));
    for (const std::string_view name : {"control_model.input_hint_block.0.weight", "input_hint_block.0.weight",
                                        "controlnet_cond_embedding.conv_in.weight"})
        if (index.contains(name))
            return ModelDescription{ModelKind::ControlNet, family, std::string(name) + contextWords(context)};
    for (const std::string_view prefix : {"lllite_unet", "adapter.body.", "body.0.resnets.", "ip_adapter."})
        if (index.hasPrefix(prefix))
            return ModelDescription{ModelKind::ControlNet, family, "names begin with " + std::string(prefix)};
    if (index.contains("body.0.block1.weight"))
        return ModelDescription{ModelKind::ControlNet, family, "body.0.block1.weight: T2I adapter"};
    return std::nullopt;
}

BaseFamily loraFamily(const TensorIndex &index)
{
    if (const BaseFamily said = familyOfMetadata(index); said != BaseFamily::Unknown) return said;
    if (index.hasPrefix("lora_te1_") || index.hasPrefix("lora_te2_") || index.hasPrefix("text_encoder_2."))
        return BaseFamily::Sdxl;
    if (hasPart(index, "double_blocks") || hasPart(index, "joint_blocks") ||
        hasPart(index, "single_transformer_blocks"))
        return BaseFamily::Other;
    for (const std::string_view part :
         {"attn2_to_k.lora_down.weight", "attn2.to_k.lora_A.weight", "attn2.to_k.lora.down.weight",
          "attn2_to_k.hada_w1_b", "attn2.to_k.lora_down.weight", "attn2_to_k.lora_A.weight"})
        if (const BaseFamily family = familyOfContext(lastDimOf(index, part)); family != BaseFamily::Unknown)
            return family;
    return BaseFamily::Unknown;
}

Found asLora(const TensorIndex &index)
{
    for (const std::string_view part :
         {".lora_up.weight", ".lora_A.weight", ".lora.up.weight", "_lora.up.weight", ".lora_linear_layer.up.weight",
          ".hada_w1_a", ".lokr_w1", ".lokr_w2", ".on_input", ".oft_blocks", ".oft_diag", ".ia3_l", ".oft_R.weight",
          ".boft_R", ".a1.weight", ".w_norm", ".diff_b", ".diff"})
        for (const auto &[name, tensor] : index.tensors())
            if (name.ends_with(part) || (part.starts_with(".lokr") && name.find(part) != std::string::npos))
                return ModelDescription{ModelKind::Lora, loraFamily(index), "names end in " + std::string(part)};
    return std::nullopt;
}

Found asVae(const TensorIndex &index)
{
    for (const std::string_view prefix : {"first_stage_model.", "vae.", ""}) {
        const std::string p(prefix);
        if (!index.contains(p + "encoder.conv_in.weight") && !index.contains(p + "decoder.conv_in.weight")) continue;
        const std::int64_t latent = index.dim(p + "decoder.conv_in.weight", 1);
        const BaseFamily family = latent > 4 ? BaseFamily::Other : familyOfMetadata(index);
        return ModelDescription{ModelKind::Vae, family,
                                p + "decoder.conv_in.weight, " + std::to_string(latent) + " latent channels"};
    }
    return std::nullopt;
}

Found asTaesd(const TensorIndex &index)
{
    // Published files count the decoder's clamp and diffusers does not; half of one may be all there is.
    bool whole = false;
    for (const std::string name : {"decoder.layers.0", "decoder.layers.1", "encoder.layers.0", "taesd_decoder.1",
                                   "taesd_encoder.0", "decoder.1", "encoder.0"})
        whole = whole || index.rank(name + ".weight") == 4;
    const bool half = index.contains("3.conv.0.weight") && (index.rank("1.weight") == 4 || index.rank("0.weight") == 4);
    if (!whole && !half) return std::nullopt;
    return ModelDescription{ModelKind::Taesd, BaseFamily::Unknown,
                            whole ? "tiny decoder's layers by number" : "3.conv.0.weight"};
}

Found asUpscaler(const TensorIndex &index)
{
    for (const std::string_view name :
         {"model.1.sub.0.RDB1.conv1.0.weight", "body.0.rdb1.conv1.weight", "RRDB_trunk.0.RDB1.conv1.weight",
          "layers.0.residual_group.blocks.0.norm1.weight", "params_ema.conv_first.weight"})
        if (index.contains(name)) return ModelDescription{ModelKind::Upscaler, BaseFamily::Unknown, std::string(name)};
    if (index.dim("body.0.weight", 1) == 3 && index.rank("body.0.weight") == 4 && index.rank("body.1.weight") == 1)
        return ModelDescription{ModelKind::Upscaler, BaseFamily::Unknown,
                                "body.0.weight from 3 channels: a compact upscaler"};
    return std::nullopt;
}

Found asTextEncoder(const TensorIndex &index)
{
    for (const std::string_view prefix :
         {"text_model.encoder.layers.0.", "transformer.text_model.encoder.layers.0.",
          "cond_stage_model.transformer.text_model.encoder.layers.0.",
          "cond_stage_model.model.transformer.resblocks.0.", "conditioner.embedders.1.model.transformer.resblocks.0.",
          "transformer.resblocks.0.", "text_projection.", "encoder.block.0.layer.0."})
        if (index.hasPrefix(prefix)) {
            const bool t5 = prefix.starts_with("encoder.block");
            const BaseFamily family = t5 ? BaseFamily::Other : familyOfMetadata(index);
            return ModelDescription{ModelKind::TextEncoder, family, "names begin with " + std::string(prefix)};
        }
    return std::nullopt;
}

/// One vector (diffusers) or a row of them; -1 for anything else.
std::int64_t vectorWidth(const TensorInfo &tensor)
{
    if (tensor.shape.size() == 1) return tensor.shape[0];
    return tensor.shape.size() == 2 && tensor.shape[0] <= 75 ? tensor.shape[1] : -1;
}

Found asEmbedding(const TensorIndex &index)
{
    const auto made = [](std::string_view name, std::int64_t width, BaseFamily family) {
        return ModelDescription{ModelKind::Embedding, family,
                                "vectors of " + std::to_string(width) + " in " + std::string(name.substr(0, 80))};
    };
    for (const auto &[first, second] : {std::pair("clip_l", "clip_g"), std::pair("text_encoders_0", "text_encoders_1")})
        if (index.rank(first) == 2 && index.rank(second) == 2)
            return made(first, index.dim(first, 1), BaseFamily::Sdxl);
    if (index.rank("emb_params") == 2)
        return made("emb_params", index.dim("emb_params", 1), familyOfContext(index.dim("emb_params", 1)));
    for (const auto &[name, tensor] : index.tensors()) {
        const std::int64_t width = vectorWidth(tensor);
        if ((name.starts_with("string_to_param.") || index.tensors().size() == 1) &&
            familyOfContext(width) != BaseFamily::Unknown)
            return made(name, width, familyOfContext(width));
    }
    return std::nullopt;
}

Found asHypernetwork(const TensorIndex &index)
{
    for (const std::string_view width : {"320", "640", "768", "1024", "1280"})
        for (const std::string_view half : {".0.linear.0.weight", ".0.linear1.weight"}) {
            const std::string name = std::string(width) + std::string(half);
            if (index.contains(name)) return ModelDescription{ModelKind::Hypernetwork, BaseFamily::Unknown, name};
        }
    return std::nullopt;
}

/// Networks without what makes a checkpoint usable here, so that the reason can say what it is.
Found asBareUnet(const TensorIndex &index)
{
    if (index.contains("input_blocks.0.0.weight"))
        return ModelDescription{ModelKind::Unknown, familyOfContext(lastDimOf(index, "attn2.to_k.weight")),
                                "a UNet alone, without text encoder and VAE"};
    if (index.contains("conv_in.weight") && index.hasPrefix("down_blocks.0.") && index.hasPrefix("up_blocks.0."))
        return ModelDescription{ModelKind::Unknown, familyOfContext(lastDimOf(index, "attn2.to_k.weight")),
                                "a UNet alone, in the layout of diffusers"};
    return std::nullopt;
}

}  // namespace

std::string_view modelKindName(ModelKind kind)
{
    for (const auto &[known, name] : kKindNames)
        if (known == kind) return name;
    return "unknown";
}

ModelKind modelKindFromName(std::string_view name)
{
    for (const auto &[kind, known] : kKindNames)
        if (known == name) return kind;
    return ModelKind::Unknown;
}

std::string_view familyName(BaseFamily family)
{
    for (const auto &[known, name] : kFamilyNames)
        if (known == family) return name;
    return "unknown";
}

BaseFamily familyFromName(std::string_view name)
{
    for (const auto &[family, known] : kFamilyNames)
        if (known == name) return family;
    return BaseFamily::Unknown;
}

ModelDescription describeModel(const TensorIndex &index)
{
    if (index.tensors().empty()) return {ModelKind::Unknown, BaseFamily::Unknown, "no tensors"};
    // A checkpoint contains a VAE and a text encoder, a ControlNet half a UNet: the larger thing is asked for first.
    for (const auto &as : {asCheckpoint, asControlNet, asLora, asVae, asTaesd, asUpscaler, asTextEncoder, asEmbedding,
                           asHypernetwork, asBareUnet})
        if (Found found = as(index)) return std::move(*found);
    return {ModelKind::Unknown, BaseFamily::Unknown,
            "no known names, the first is " + index.tensors().begin()->first.substr(0, 120)};
}

}  // namespace sg
