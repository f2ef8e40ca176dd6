#!/usr/bin/env python3
"""Writes tests/data/keys/<model>.{ldm,diffusers}.txt: names and shapes of every tensor of a model as a single file and as a diffusers folder.

From diffusers' and transformers' modules with the published configurations, built without weights. That the single file's names are right is asked of
diffusers' own converter, which goes the other way: what it makes of them must be the folder's names. A line is "<characters shared with the line before> <the
rest of the name> <shape>".

    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_key_lists.py
"""
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ldm_names import UNET_PREFIX, VAE_PREFIX, file_state, unet_names, vae_names

OUT = pathlib.Path(__file__).parents[1] / "data/keys"
CLIP_L = dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768)
VIT_H = dict(vocab_size=49408, hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu", projection_dim=512)
BIG_G = dict(vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu", projection_dim=1280)
CROSS_DOWN, PLAIN_DOWN, CROSS_UP, PLAIN_UP = "CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"
SD1 = dict(cross_attention_dim=768, attention_head_dim=8)
SD2 = dict(cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20], use_linear_projection=True)
SDXL = dict(block_out_channels=(320, 640, 1280), down_block_types=(PLAIN_DOWN, CROSS_DOWN, CROSS_DOWN), up_block_types=(CROSS_UP, CROSS_UP, PLAIN_UP),
            transformer_layers_per_block=[1, 2, 10], attention_head_dim=[5, 10, 20], cross_attention_dim=2048, use_linear_projection=True,
            addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
REFINER = dict(block_out_channels=(384, 768, 1536, 1536), down_block_types=(PLAIN_DOWN, CROSS_DOWN, CROSS_DOWN, PLAIN_DOWN),
               up_block_types=(PLAIN_UP, CROSS_UP, CROSS_UP, PLAIN_UP), transformer_layers_per_block=4, attention_head_dim=[6, 12, 24, 24],
               cross_attention_dim=1280, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
               projection_class_embeddings_input_dim=2560)
SD1_TEXT, SD2_TEXT, FIRST, SECOND = "cond_stage_model.transformer.", "cond_stage_model.model.", "conditioner.embedders.0.", "conditioner.embedders.1."
# model: UNet, {folder: (class, configuration, prefix in the single file, whether OpenCLIP's)}
MODELS = {
    "sd1": (SD1, {"text_encoder": (CLIPTextModel, CLIP_L, SD1_TEXT, False)}),
    "sd1_inpaint": ({**SD1, "in_channels": 9}, {"text_encoder": (CLIPTextModel, CLIP_L, SD1_TEXT, False)}),
    "sd2": (SD2, {"text_encoder": (CLIPTextModel, VIT_H, SD2_TEXT, True)}),
    "sdxl": (SDXL, {"text_encoder": (CLIPTextModel, CLIP_L, FIRST + "transformer.", False),
                    "text_encoder_2": (CLIPTextModelWithProjection, BIG_G, SECOND + "model.", True)}),
    "sdxl_refiner": (REFINER, {"text_encoder_2": (CLIPTextModelWithProjection, BIG_G, FIRST + "model.", True)}),
}


def published(key):
    """Newer transformers leave out a part of the name that published files have."""
    return key if key.startswith(("text_model.", "text_projection.")) else "text_model." + key


def open_clip(state, prefix):
    out = {}
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    fixed = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight", "text_model.embeddings.position_embedding.weight": "positional_embedding",
             "text_model.final_layer_norm.weight": "ln_final.weight", "text_model.final_layer_norm.bias": "ln_final.bias"}
    for key, shape in state.items():
        if key in fixed:
            out[prefix + fixed[key]] = shape
        elif key == "text_projection.weight":
            out[prefix + "text_projection"] = (shape[1], shape[0])
        elif ".self_attn.q_proj." in key:
            layer, last = key.split(".")[3], key.split(".")[-1]
            out[f"{prefix}transformer.resblocks.{layer}.attn.in_proj_{last}"] = (shape[0] * 3, *shape[1:])
        elif ".k_proj." not in key and ".v_proj." not in key:
            _, _, _, layer, rest = key.split(".", 4)
            part, last = rest.rsplit(".", 1)
            out[f"{prefix}transformer.resblocks.{layer}.{parts[part]}.{last}"] = shape
    return out


def shapes(state):
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith("position_ids")}


def blank(listed, prefix=""):
    with torch.device("meta"):
        return {key[len(prefix):] if prefix else key: torch.empty(shape) for key, shape in listed.items() if key.startswith(prefix)}


def check(ldm, folder, unet, vae, texts):
    """diffusers' converter leads from the single file's names to the folder's."""
    made = single_file_utils.convert_ldm_unet_checkpoint(blank(ldm), {**unet.config, "layers_per_block": 2})
    assert shapes(made) == {key[5:]: shape for key, shape in folder.items() if key.startswith("unet.")}
    made = single_file_utils.convert_ldm_vae_checkpoint(blank(ldm), vae.config)
    squeezed = {key: shape[:2] if ".attentions." in key and len(shape) == 4 else shape for key, shape in shapes(made).items()}
    assert squeezed == {key[4:]: shape for key, shape in folder.items() if key.startswith("vae.")}
    for name, (module, prefix, is_open) in texts.items():
        wanted = {key[len(name) + 1:]: shape for key, shape in folder.items() if key.startswith(name + ".")}
        if is_open:
            made = {published(key): shape for key, shape in shapes(single_file_utils.convert_open_clip_checkpoint(module, blank(ldm), prefix=prefix)).items()}
        else:
            made = shapes(blank(ldm, prefix))
        assert made == wanted, (set(made) ^ set(wanted))


def write(path, listed):
    lines, before = [], ""
    for key, shape in sorted(listed.items()):
        same = next((i for i, (a, b) in enumerate(zip(key, before)) if a != b), min(len(key), len(before)))
        lines.append(f"{same} {key[same:] or '.'} {'x'.join(map(str, shape))}")
        before = key
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for model, (unet_config, text_configs) in MODELS.items():
        with torch.device("meta"):
            unet = UNet2DConditionModel(**{"block_out_channels": (320, 640, 1280, 1280), **unet_config})
            vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
                                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
            texts = {name: (kind(CLIPTextConfig(**config)), prefix, is_open) for name, (kind, config, prefix, is_open) in text_configs.items()}
        folder = {f"unet.{key}": shape for key, shape in shapes(unet.state_dict()).items()}
        folder.update({f"vae.{key}": shape for key, shape in shapes(vae.state_dict()).items()})
        ldm = {**shapes(file_state(unet, unet_names(unet))), **shapes(file_state(vae, vae_names(vae)))}
        for name, (module, prefix, is_open) in texts.items():
            state = {published(key): shape for key, shape in shapes(module.state_dict()).items()}
            folder.update({f"{name}.{key}": shape for key, shape in state.items()})
            ldm.update(open_clip(state, prefix) if is_open else {prefix + key: shape for key, shape in state.items()})
        assert any(key.startswith(UNET_PREFIX) for key in ldm) and any(key.startswith(VAE_PREFIX) for key in ldm)
        check(ldm, folder, unet, vae, texts)
        print(model, write(OUT / f"{model}.ldm.txt", ldm), write(OUT / f"{model}.diffusers.txt", folder))


if __name__ == "__main__":
    main()
