"""Names of a Stable Diffusion single file (LDM's), from diffusers' and transformers' modules.

Used by the scripts that make parity data and tests/data/sd15_keys.txt. Works on any number of levels, blocks and transformers.
"""
UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer."

RES_BLOCK = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
             "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _unet_modules(unet):
    """diffusers' module name -> (LDM's, whether it is a residual block)."""
    names = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
             "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2"}
    names.update({"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"})
    blocks = {"mid_block.resnets.0": "middle_block.0", "mid_block.resnets.1": "middle_block.2"}
    names["mid_block.attentions.0"] = "middle_block.1"
    number = 1
    for i, level in enumerate(unet.down_blocks):
        for j in range(len(level.resnets)):
            blocks[f"down_blocks.{i}.resnets.{j}"] = f"input_blocks.{number}.0"
            names[f"down_blocks.{i}.attentions.{j}"] = f"input_blocks.{number}.1"
            number += 1
        if level.downsamplers:
            names[f"down_blocks.{i}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    number = 0
    for i, level in enumerate(unet.up_blocks):
        attends = bool(getattr(level, "attentions", None))
        for j in range(len(level.resnets)):
            blocks[f"up_blocks.{i}.resnets.{j}"] = f"output_blocks.{number}.0"
            names[f"up_blocks.{i}.attentions.{j}"] = f"output_blocks.{number}.1"
            if level.upsamplers and j + 1 == len(level.resnets):
                names[f"up_blocks.{i}.upsamplers.0.conv"] = f"output_blocks.{number}.{2 if attends else 1}.conv"
            number += 1
    return names, blocks


def unet_names(unet):
    """{diffusers' key: the file's key}"""
    names, blocks = _unet_modules(unet)
    out = {}
    for key in unet.state_dict():
        owner = max((m for m in [*names, *blocks] if key.startswith(m + ".")), key=len)
        rest = key[len(owner) + 1:]
        if owner in blocks:
            part, _, last = rest.partition(".")
            rest = f"{RES_BLOCK[part]}.{last}"
        out[key] = UNET_PREFIX + {**names, **blocks}[owner] + "." + rest
    return out


def vae_names(vae):
    levels = len(vae.config.block_out_channels)
    out = {}
    for key in vae.state_dict():
        name = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        if "mid_block.attentions.0." in name:
            side, part = name.split("mid_block.attentions.0.")
            theirs = max((a for a in VAE_ATTENTION if part.startswith(a + ".")), key=len)
            name = f"{side}mid.attn_1.{VAE_ATTENTION[theirs]}{part[len(theirs):]}"
        for i in range(levels):
            name = name.replace(f"down_blocks.{i}.resnets.", f"down.{i}.block.")
            name = name.replace(f"down_blocks.{i}.downsamplers.0", f"down.{i}.downsample")
            name = name.replace(f"up_blocks.{i}.resnets.", f"up.{levels - 1 - i}.block.")
            name = name.replace(f"up_blocks.{i}.upsamplers.0", f"up.{levels - 1 - i}.upsample")
        out[key] = VAE_PREFIX + name
    return out


def text_names(text):
    return {key: TEXT_PREFIX + (key if key.startswith("text_model.") else "text_model." + key)
            for key in text.state_dict() if not key.endswith("position_ids")}


def file_state(module, names):
    """{the file's key: tensor}; the autoencoder's attention is stored as 1x1 convolutions there."""
    out = {}
    for key, value in module.state_dict().items():
        if key not in names:
            continue
        name = names[key]
        if ".mid.attn_1." in name and value.dim() == 2:
            value = value[:, :, None, None]
        out[name] = value
    return out
