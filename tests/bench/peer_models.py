"""The peers' side of the benchmarks: diffusers' configuration of Stable Diffusion 1.5, written without a download."""
import json
import os

from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig

UNET = dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8)  # the rest are diffusers' defaults: SD 1's
SDXL_UNET = dict(
    sample_size=128, cross_attention_dim=2048, attention_head_dim=(5, 10, 20), block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
)
VAE = dict(
    block_out_channels=(128, 256, 512, 512),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=2,
    sample_size=512,
    scaling_factor=0.18215,
)
TEXT = dict(
    vocab_size=49408, hidden_size=768, intermediate_size=3072, projection_dim=768, num_hidden_layers=12,
    num_attention_heads=12, max_position_embeddings=77, hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2,
)
SCHEDULER = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
PIPELINE = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_config(folder):
    """A folder that from_single_file takes as `config`; made once."""
    path = os.path.join(folder, "diffusers-config")
    if os.path.exists(os.path.join(path, "model_index.json")):
        return path
    import torch

    with torch.device("meta"):
        for name, module in (("unet", UNet2DConditionModel(**UNET)), ("vae", AutoencoderKL(**VAE))):
            module.save_config(os.path.join(path, name))
    EulerDiscreteScheduler(**SCHEDULER).save_pretrained(os.path.join(path, "scheduler"))
    CLIPTextConfig(**TEXT).save_pretrained(os.path.join(path, "text_encoder"))
    write_tokenizer(os.path.join(path, "tokenizer"))
    with open(os.path.join(path, "model_index.json"), "w", encoding="utf-8") as file:
        json.dump(PIPELINE, file)
    return path


def write_tokenizer(path):
    """vocab.json and merges.txt from the vocabulary that our tokenizer uses as well."""
    import sys

    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "resources", "starter"))
    import tokens

    ids, ranks = tokens.vocabulary()
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "vocab.json"), "w", encoding="utf-8") as file:
        json.dump(ids | {"<|startoftext|>": tokens.START, "<|endoftext|>": tokens.END}, file)
    with open(os.path.join(path, "merges.txt"), "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in ranks))
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    with open(os.path.join(path, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **special}, file)


def write_sdxl_config(folder):
    path = os.path.join(folder, "diffusers-config-sdxl")
    if not os.path.exists(os.path.join(path, "unet", "config.json")):
        import torch

        with torch.device("meta"):
            UNet2DConditionModel(**SDXL_UNET).save_config(os.path.join(path, "unet"))
    return path


def load_vae(checkpoint, config):
    import torch

    return AutoencoderKL.from_single_file(checkpoint, config=config, subfolder="vae", torch_dtype=torch.float32).eval()


def load_unet(checkpoint, config):
    import torch

    return UNet2DConditionModel.from_single_file(checkpoint, config=config, subfolder="unet", torch_dtype=torch.float32).eval()
