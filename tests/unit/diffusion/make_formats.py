#!/usr/bin/env python3
"""Writes formats/: the tiny checkpoint of tests/parity/networks as torch files and as a diffusers folder, for bind_test.

    ~/.cache/serigraph/venv-peers/bin/python tests/unit/diffusion/make_formats.py
"""
import json
import pathlib
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "parity"))
from ldm_names import text_names, unet_names, vae_names  # noqa: E402

OUT = HERE / "formats"
TINY = HERE.parents[1] / "parity/networks/sd1.safetensors"
UNET = dict(block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=2,
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))
VAE = dict(block_out_channels=(4, 4, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2,
           down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3)
TEXT = dict(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=20, hidden_act="quick_gelu")


def write_json(path, what):
    path.write_text(json.dumps(what) + "\n")


def part(tensors, module, names):
    """What the folder's part holds, under diffusers' names and in its shapes."""
    shapes = {key: value.shape for key, value in module.state_dict().items()}
    return {key: tensors[name].reshape(shapes[key]).contiguous() for key, name in names.items()}


def main():
    with safe_open(TINY, "pt") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    OUT.mkdir(exist_ok=True)
    # One weight lies the other way round, as a checkpoint that was trained with tied or turned weights may have it.
    turned = {key: value.t().contiguous().t() if key.endswith("attn1.to_q.weight") else value for key, value in tensors.items()}
    torch.save({"state_dict": turned, "global_step": 7, **metadata}, OUT / "zip.ckpt")
    torch.save({"state_dict": tensors, **metadata}, OUT / "legacy.ckpt", _use_new_zipfile_serialization=False)
    unet, vae, text = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(CLIPTextConfig(**TEXT))
    folder = OUT / "folder"
    for name in ("unet", "vae", "text_encoder", "scheduler"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
                                             "text_encoder": ["transformers", "CLIPTextModel"], "scheduler": ["diffusers", "PNDMScheduler"], "safety_checker": [None, None]})
    write_json(folder / "unet/config.json", UNET)
    write_json(folder / "vae/config.json", {**VAE, "scaling_factor": float(metadata["serigraph.latent.scale"])})
    write_json(folder / "text_encoder/config.json", TEXT)
    write_json(folder / "scheduler/scheduler_config.json", {"prediction_type": "epsilon"})
    weights = part(tensors, unet, unet_names(unet))
    keys = sorted(weights)
    shards = {f"diffusion_pytorch_model-0000{n + 1}-of-00002.safetensors": keys[n::2] for n in range(2)}
    for name, held in shards.items():
        save_file({key: weights[key] for key in held}, folder / "unet" / name)
        (folder / "unet" / name).chmod(0o644)
    write_json(folder / "unet/diffusion_pytorch_model.safetensors.index.json", {"metadata": {}, "weight_map": {key: name for name, held in shards.items() for key in held}})
    torch.save(part(tensors, vae, vae_names(vae)), folder / "vae/diffusion_pytorch_model.bin")
    save_file(part(tensors, text, text_names(text)), folder / "text_encoder/model.safetensors")
    (folder / "text_encoder/model.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
