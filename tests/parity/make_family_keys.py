"""Makes tests/data/family_keys.txt: names and shapes of the published checkpoints of Stable Diffusion 2.1, SDXL base and SDXL refiner, from
diffusers' and transformers' modules at their real sizes (nothing is downloaded and no weight is made).

One line for all tensors that differ in their numbers only: `name with # for numbers` `shape` `numbers, comma between those of one name; …`.
Run with the peers' Python:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_family_keys.py
"""
import pathlib
import re
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "resources/starter")]
from ldm_names import TEXT_PREFIX, file_state, text_names, vae_names  # noqa: E402
from make_families import hugging_face, label_names, open_clip  # noqa: E402

XL = dict(in_channels=4, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256)
UNETS = {
    "sd2": dict(cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True),
    "sdxl": dict(XL, block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20), transformer_layers_per_block=(1, 2, 10),
                 down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                 up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), projection_class_embeddings_input_dim=2816),
    "sdxl-refiner": dict(XL, block_out_channels=(384, 768, 1536, 1536), cross_attention_dim=1280, attention_head_dim=(6, 12, 24, 24),
                         transformer_layers_per_block=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                         up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                         projection_class_embeddings_input_dim=2560),
}


def text(width, layers, heads, activation, projection=0):
    config = CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads, hidden_act=activation,
                            projection_dim=projection or 512)
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def with_table(state, model, name):
    return {**state, name: next(v for k, v in model.state_dict().items() if "token_embedding" in k)}


def open_clip_text(model, prefix):
    return with_table(open_clip(model, prefix), model, prefix + "token_embedding.weight")


def texts(family):
    if family == "sd2":
        return open_clip_text(text(1024, 24, 16, "gelu", 1024), "cond_stage_model.model.")
    big = text(1280, 32, 20, "gelu", 1280)
    if family == "sdxl-refiner":
        return open_clip_text(big, "conditioner.embedders.0.model.")
    prefix, small = "conditioner.embedders.0.transformer.text_model.", text(768, 12, 12, "quick_gelu")
    return {**with_table(hugging_face(small, prefix), small, prefix + "embeddings.token_embedding.weight"),
            **open_clip_text(big, "conditioner.embedders.1.model.")}


def tensors(family):
    unet = UNet2DConditionModel(**UNETS[family])
    vae = AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, block_out_channels=(128, 256, 512, 512),
                        layers_per_block=2)
    return {**file_state(unet, label_names(unet)), **file_state(vae, vae_names(vae)), **texts(family)}


def main():
    lines = ["# Made by tests/parity/make_family_keys.py, which says what a line is."]
    for family in UNETS:
        with torch.device("meta"):
            state = tensors(family)
        groups = {}
        for name, tensor in state.items():
            numbers = ",".join(re.findall(r"(?<=\.)\d+(?=\.)", name))
            groups.setdefault((re.sub(r"(?<=\.)\d+(?=\.)", "#", name), "x".join(map(str, tensor.shape))), []).append(numbers)
        lines.append(f"= {family} {len(state)}")
        lines += [f"{name} {shape} {';'.join(numbers)}" for (name, shape), numbers in sorted(groups.items())]
        print(family, len(state), "tensors,", len(groups), "lines")
    path = HERE.parent / "data/family_keys.txt"
    path.write_text("\n".join(lines) + "\n")
    print(path, path.stat().st_size, "bytes")


main()
