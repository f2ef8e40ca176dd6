"""Writes the trained networks as one fp16 safetensors file with Stable Diffusion 1's names, and says in its metadata
what it is and how it was made."""
import json
import os
import struct

from pictures import SIDE

HOW_SHIPPED = (
    "Trained from scratch on 2 CPU cores in 110 minutes with the trial version of resources/starter in the Serigraph "
    "project (torch 2.11, diffusers 0.42, transformers 5), on pictures and captions that pictures.py there draws from "
    "seeds; no other data. VAE: 4,000 steps of 16 crops from 6,000 pictures. Text encoder and UNet together: 5,950 steps "
    "of 32, in three goes, on the latents of 24,000 pictures; eps prediction, noise offset 0.1, 10 % empty captions, "
    "weights averaged. One in ten combinations of ground, colour and shape was never shown."
)
ABOUT = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.title": "Serigraph starter",
    "modelspec.author": "The Serigraph project",
    "modelspec.date": "2026-11-22",
    "modelspec.resolution": f"{SIDE}x{SIDE}",
    "modelspec.prediction_type": "epsilon",
    "modelspec.license": "CC0-1.0",
    "modelspec.description": "A tiny Stable Diffusion 1 that draws coloured shapes, letters and digits. "
    "Trained from scratch on pictures drawn by a program.",
    "modelspec.usage_hint": f"{SIDE}x{SIDE}, 20 steps, CFG 5: a red star on a blue background",
}


def read_header(path):
    """(header, offset of the tensors' bytes) of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), 8 + length


def stamp(path, how=HOW_SHIPPED):
    """Rewrites the metadata of a file and leaves its tensors byte for byte as they are."""
    header, start = read_header(path)
    with open(path, "rb") as file:
        file.seek(start)
        data = file.read()
    metadata = header["__metadata__"] | ABOUT | {"serigraph.training": how}
    header = {"__metadata__": dict(sorted(metadata.items()))} | {
        name: header[name] for name in sorted(header, key=lambda n: header[n].get("data_offsets", [0])[0])
        if name != "__metadata__"
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".new", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    os.replace(path + ".new", path)
    print(f"{path}: {os.path.getsize(path):,} bytes, {len(header) - 1} tensors")


def shapeless(factors):
    """What no tensor's shape can say. `factors`: four rows for the latent channels and one constant, times R, G, B."""
    from networks import LATENT_SCALE, TEXT, UNET, VAE

    return {
        "serigraph.unet.norm_groups": str(UNET["norm_num_groups"]),
        "serigraph.unet.heads": str(UNET["attention_head_dim"]),
        "serigraph.vae.norm_groups": str(VAE["norm_num_groups"]),
        "serigraph.text.heads": str(TEXT["num_attention_heads"]),
        "serigraph.latent.scale": str(LATENT_SCALE),
        "serigraph.latent.to_rgb": json.dumps([[round(value, 4) for value in row] for row in factors.tolist()]),
    }


def fold_latent_scale(vae, mean, deviation):
    """Puts the latents' means and deviations into the 1x1 convolutions around them: what the UNet was trained on is
    then the file's latents times Stable Diffusion's scale, and no reader needs to know."""
    into, back = vae.quant_conv, vae.post_quant_conv
    back.bias += back.weight[:, :, 0, 0] @ mean
    back.weight *= deviation.view(1, 4, 1, 1)
    into.weight[:4] /= deviation.view(4, 1, 1, 1)
    into.bias[:4] = (into.bias[:4] - mean) / deviation
    into.bias[4:] -= 2 * deviation.log()


def preview_factors(latent, pixels):
    """[5, 3]: the linear map from latents times the scale (and a constant 1) to colours in -1..1, by least squares."""
    import torch

    rows = latent.permute(0, 2, 3, 1).reshape(-1, 4)
    colours = torch.nn.functional.avg_pool2d(pixels, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    return torch.linalg.lstsq(torch.cat([rows, torch.ones(len(rows), 1)], 1), colours).solution


def export(run, path, how):
    """RUN's vae.pt, latents.pt and unet.pt as one file."""
    import numpy as np
    import torch
    from networks import LATENT_SCALE, TEXT, TextAndUNet, single_file, trained_vae
    from pictures import training_picture
    from safetensors.torch import save_file
    from tokens import encode
    from train import to_tensor

    with torch.no_grad():
        vae, pair, pool = trained_vae(run), TextAndUNet(), torch.load(os.path.join(run, "latents.pt"))
        pair.load_state_dict(torch.load(os.path.join(run, "unet.pt"), map_location="cpu")["ema"])
        fold_latent_scale(vae, pool["mean"], pool["deviation"] * LATENT_SCALE)
        seen = torch.zeros(TEXT["vocab_size"], dtype=torch.bool)
        seen[encode(pool["captions"] + [""]).unique()] = True
        pair.text.get_input_embeddings().weight *= seen[:, None]  # words never seen say nothing, rather than noise
        pixels = to_tensor(np.stack([np.asarray(training_picture(10**6 + i)[0]) for i in range(200)]))
        latent = vae.encode(pixels).latent_dist.mean * LATENT_SCALE
        error = (vae.decode(latent / LATENT_SCALE).sample - pixels).pow(2).mean().item()
        tensors = {name: tensor.contiguous().half() for name, tensor in single_file(pair, vae).items()}
        save_file(tensors, path, metadata=shapeless(preview_factors(latent, pixels)))
    print(f"mean squared error of the VAE on pictures not trained on: {error:.4f}")
    stamp(path, how)
