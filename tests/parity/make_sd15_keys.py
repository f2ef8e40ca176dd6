"""Writes tests/data/sd15_keys.txt: name, type and shape of every tensor of a Stable Diffusion 1.5 checkpoint.

From diffusers' and transformers' modules with SD1.5's published configuration, built without weights. Run with the peers' Python:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_sd15_keys.py
"""
import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from ldm_names import file_state, text_names, unet_names, vae_names

OUT = pathlib.Path(__file__).parents[1] / "data/sd15_keys.txt"


def main():
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280))
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
        text = CLIPTextModel(CLIPTextConfig(
            vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12))
    parts = [file_state(unet, unet_names(unet)), file_state(vae, vae_names(vae)), file_state(text, text_names(text))]
    assert [len(p) for p in parts] == [686, 248, 196], [len(p) for p in parts]
    lines = ["# name type shape, of every tensor of a Stable Diffusion 1.5 checkpoint; made by tests/parity/make_sd15_keys.py"]
    for part in parts:
        lines += [f"{name} F16 {'x'.join(map(str, value.shape))}" for name, value in sorted(part.items())]
    # What the published file carries beside the networks.
    lines += ["cond_stage_model.transformer.text_model.embeddings.position_ids I64 1x77", "alphas_cumprod F32 1000",
              "betas F32 1000", "model_ema.decay F32 -", "model_ema.num_updates I32 -"]
    OUT.write_text("\n".join(lines) + "\n")
    print(f"{OUT}: {len(lines) - 1} tensors, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
