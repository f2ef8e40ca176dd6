"""A random checkpoint with Stable Diffusion 1.5's tensors: real names and shapes, fp16, seeded.

Weights are scaled by their fan-in, norms are near 1, so that activations stay finite and no layer is without effect.
"""
import math
import os

import torch
from safetensors.torch import save_file

from dataclasses import dataclass

WIDTH, BLOCKS = 320, 2
TIME = 4 * WIDTH


@dataclass(frozen=True)
class Family:
    multipliers: tuple
    depths: tuple  # transformer blocks of each level
    context: int
    linear: bool = False  # transformers are entered by a matrix
    vector: int = 0


SD15 = Family((1, 2, 4, 4), (1, 1, 1, 0), 768)
SDXL = Family((1, 2, 4), (0, 2, 10), 2048, True, 2816)


def affine(name, out, *rest):
    return {f"{name}.weight": (out, *rest), f"{name}.bias": (out,)}


def norm(name, channels):
    return affine(name, channels)


def unet_res(name, given, out):
    shapes = norm(f"{name}.in_layers.0", given) | affine(f"{name}.in_layers.2", out, given, 3, 3)
    shapes |= affine(f"{name}.emb_layers.1", out, TIME)
    shapes |= norm(f"{name}.out_layers.0", out) | affine(f"{name}.out_layers.3", out, out, 3, 3)
    return shapes | (affine(f"{name}.skip_connection", out, given, 1, 1) if given != out else {})


def transformer(name, channels, depth, family):
    inner = () if family.linear else (1, 1)
    shapes = norm(f"{name}.norm", channels)
    shapes |= affine(f"{name}.proj_in", channels, channels, *inner) | affine(f"{name}.proj_out", channels, channels, *inner)
    for block in (f"{name}.transformer_blocks.{i}" for i in range(depth)):
        for number, width in ((1, channels), (2, family.context)):
            shapes |= {f"{block}.attn{number}.to_q.weight": (channels, channels)}
            shapes |= {f"{block}.attn{number}.to_{part}.weight": (channels, width) for part in "kv"}
            shapes |= affine(f"{block}.attn{number}.to_out.0", channels, channels)
        shapes |= affine(f"{block}.ff.net.0.proj", 8 * channels, channels) | affine(f"{block}.ff.net.2", channels, 4 * channels)
        for number in (1, 2, 3):
            shapes |= norm(f"{block}.norm{number}", channels)
    return shapes


def unet_shapes(family=SD15):
    root = "model.diffusion_model"
    shapes = affine(f"{root}.time_embed.0", TIME, WIDTH) | affine(f"{root}.time_embed.2", TIME, TIME)
    if family.vector:
        shapes |= affine(f"{root}.label_emb.0.0", TIME, family.vector) | affine(f"{root}.label_emb.0.2", TIME, TIME)
    shapes |= affine(f"{root}.input_blocks.0.0", WIDTH, 4, 3, 3)
    skips, channels, last = [WIDTH], WIDTH, len(family.multipliers) - 1
    for level, multiplier in enumerate(family.multipliers):
        for _ in range(BLOCKS):
            name = f"{root}.input_blocks.{len(skips)}"
            shapes |= unet_res(f"{name}.0", channels, WIDTH * multiplier)
            channels = WIDTH * multiplier
            if family.depths[level]:
                shapes |= transformer(f"{name}.1", channels, family.depths[level], family)
            skips.append(channels)
        if level < last:
            shapes |= affine(f"{root}.input_blocks.{len(skips)}.0.op", channels, channels, 3, 3)
            skips.append(channels)
    middle = f"{root}.middle_block"
    shapes |= unet_res(f"{middle}.0", channels, channels) | transformer(f"{middle}.1", channels, family.depths[-1] or 1, family)
    shapes |= unet_res(f"{middle}.2", channels, channels)
    number = 0
    for level in range(last, -1, -1):
        for block in range(BLOCKS + 1):
            name, out = f"{root}.output_blocks.{number}", WIDTH * family.multipliers[level]
            shapes |= unet_res(f"{name}.0", channels + skips.pop(), out)
            channels = out
            if family.depths[level]:
                shapes |= transformer(f"{name}.1", channels, family.depths[level], family)
            if block == BLOCKS and level > 0:
                shapes |= affine(f"{name}.{2 if family.depths[level] else 1}.conv", channels, channels, 3, 3)
            number += 1
    return shapes | norm(f"{root}.out.0", WIDTH) | affine(f"{root}.out.2", 4, WIDTH, 3, 3)


def vae_res(name, given, out):
    shapes = norm(f"{name}.norm1", given) | affine(f"{name}.conv1", out, given, 3, 3)
    shapes |= norm(f"{name}.norm2", out) | affine(f"{name}.conv2", out, out, 3, 3)
    return shapes | (affine(f"{name}.nin_shortcut", out, given, 1, 1) if given != out else {})


def vae_middle(name, channels):
    shapes = vae_res(f"{name}.block_1", channels, channels) | vae_res(f"{name}.block_2", channels, channels)
    shapes |= norm(f"{name}.attn_1.norm", channels)
    for part in ("q", "k", "v", "proj_out"):
        shapes |= affine(f"{name}.attn_1.{part}", channels, channels, 1, 1)
    return shapes


def vae_shapes():
    root, widths, blocks = "first_stage_model", (128, 256, 512, 512), 2
    shapes = affine(f"{root}.encoder.conv_in", widths[0], 3, 3, 3) | affine(f"{root}.decoder.conv_in", widths[-1], 4, 3, 3)
    channels = widths[0]
    for level, width in enumerate(widths):
        for block in range(blocks):
            shapes |= vae_res(f"{root}.encoder.down.{level}.block.{block}", channels, width)
            channels = width
        if level < 3:
            shapes |= affine(f"{root}.encoder.down.{level}.downsample.conv", width, width, 3, 3)
    for level in (3, 2, 1, 0):
        for block in range(blocks + 1):
            shapes |= vae_res(f"{root}.decoder.up.{level}.block.{block}", channels, widths[level])
            channels = widths[level]
        if level:
            shapes |= affine(f"{root}.decoder.up.{level}.upsample.conv", channels, channels, 3, 3)
    for side, out in (("encoder", 8), ("decoder", 3)):
        end = widths[-1] if side == "encoder" else widths[0]
        shapes |= vae_middle(f"{root}.{side}.mid", widths[-1])
        shapes |= norm(f"{root}.{side}.norm_out", end) | affine(f"{root}.{side}.conv_out", out, end, 3, 3)
    return shapes | affine(f"{root}.quant_conv", 8, 8, 1, 1) | affine(f"{root}.post_quant_conv", 4, 4, 1, 1)


def text_shapes():
    root, width = "cond_stage_model.transformer.text_model", SD15.context
    shapes = {f"{root}.embeddings.token_embedding.weight": (49408, width)}
    shapes |= {f"{root}.embeddings.position_embedding.weight": (77, width)}
    for layer in range(12):
        name = f"{root}.encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= affine(f"{name}.self_attn.{part}", width, width)
        shapes |= norm(f"{name}.layer_norm1", width) | norm(f"{name}.layer_norm2", width)
        shapes |= affine(f"{name}.mlp.fc1", 4 * width, width) | affine(f"{name}.mlp.fc2", width, 4 * width)
    return shapes | norm(f"{root}.final_layer_norm", width)


def random_tensor(name, shape, generator):
    if len(shape) == 1:
        is_norm_weight = name.endswith("weight")
        made = torch.randn(shape, generator=generator) * 0.1 + (1.0 if is_norm_weight else 0.0)
    elif "embedding" in name:
        made = torch.randn(shape, generator=generator) * 0.02
    else:
        made = torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))
    return made.half()


def sd15_shapes():
    return unet_shapes() | vae_shapes() | text_shapes()


def made_once(path, shapes, seed, title):
    if not os.path.exists(path):
        print(f"making {path}", flush=True)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        generator = torch.Generator().manual_seed(seed)
        tensors = {name: random_tensor(name, shape, generator) for name, shape in shapes.items()}
        save_file(tensors, path + ".new", metadata={"modelspec.title": title})
        os.replace(path + ".new", path)
    return path


def sd15_checkpoint(folder):
    """The path of the checkpoint, made when it is not there (2.1 GB)."""
    return made_once(os.path.join(folder, "sd15-random-1.safetensors"), sd15_shapes(), 15,
                     "random weights in the shape of Stable Diffusion 1.5")


def sdxl_unet(folder):
    """Only SDXL's UNet (5.1 GB)."""
    return made_once(os.path.join(folder, "sdxl-unet-random-1.safetensors"), unet_shapes(SDXL), 16,
                     "random weights in the shape of SDXL's UNet")
