"""Makes tests/parity/networks/*.safetensors: tiny networks with random weights, and what diffusers and transformers make of an input.

    sd1.safetensors        a whole checkpoint with LDM's names: text encoder F32, UNet F16, autoencoder BF16
    sd1_io.safetensors     its inputs and outputs
    linear.safetensors     a UNet entered by matrices, two transformers deep, none on the last level (SD2's layout), F32 and F16
    linear_io.safetensors  its inputs and outputs

Weights are rounded to the file's type before anything is computed; all computing is in float32.
Asserted here: outputs have a deviation of 0.1 to 10, and (unless `--quick`) 1 % more of any one weight tensor moves an
output by over 1.2 times the tests' tolerance, but for INVISIBLE; the C++ test asserts that of our networks.
Run with the peers' Python:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_networks.py
"""
import json
import pathlib
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from ldm_names import file_state, text_names, unet_names, vae_names

OUT = pathlib.Path(__file__).parent / "networks"
TOLERANCE = 1e-4
# Softmax does not change when all of a row grow by the same: q (k + b) = q k + q b, and q b is that.
INVISIBLE = ("self_attn.k_proj.bias", "mid.attn_1.k.bias")
SCALE = .5       # latent scale, not SD1's on purpose
torch.set_num_threads(1)  # tiny tensors: more threads only wait for each other


def randomise(module, names, dtype, gains):
    """Random weights that all matter, rounded to `dtype`. `gains`: {part of the file's key: factor}."""
    for key, value in module.state_dict().items():
        if key not in names:
            continue
        name = names[key]
        factor = next((g for part, g in gains.items() if part in name), 1.)
        if "norm" in name and value.dim() == 1 or name.split(".")[-2] == "0" and "layers.0" in name and value.dim() == 1 or ".out.0." in name:
            new = torch.randn_like(value) * .4 + (1 if name.endswith("weight") else .5)
        elif value.dim() == 1:
            new = torch.randn_like(value) * .5
        elif "embedding.weight" in name:
            new = torch.randn_like(value)
        else:
            new = torch.randn_like(value) * (value[0].numel() ** -.5)
        value.copy_((new * factor).to(dtype).float())


def check(what, module, names, outputs):
    """`outputs()` gives the tensors that the test compares."""
    reference = outputs()
    for r in reference:
        assert .1 < r.std() < 10, f"{what}: deviation {r.std():.3f}"
    least, faint = (9., ""), []
    if "--quick" in sys.argv:
        return reference
    for key, value in module.state_dict().items():
        if key not in names or any(names[key].endswith(part) for part in INVISIBLE):
            continue
        kept = value.clone()
        value *= 1.01
        moved = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(outputs(), reference))
        value.copy_(kept)
        least = min(least, (moved, names[key]))
        if moved <= 1.2 * TOLERANCE:
            faint.append(f"{names[key]} {moved:.1e}")
    assert not faint, f"{what}: too little is moved by {faint}"
    print(f"{what}: {len(names)} tensors, deviations {[round(r.std().item(), 2) for r in reference]}, least visible {least}")
    return reference


def typed(state, dtype):
    return {k: v.to(dtype).contiguous() for k, v in state.items()}


def make_text():
    torch.manual_seed(20261122)
    config = CLIPTextConfig(vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                            max_position_embeddings=20, hidden_act="quick_gelu")
    text = CLIPTextModel(config).eval()
    names = text_names(text)
    randomise(text, names, torch.float32, {"q_proj.weight": 2., "k_proj.weight": 2.})
    tokens = torch.randint(0, 64, (3, 20))

    def outputs():
        out = text(tokens, output_hidden_states=True)
        norm = text.get_submodule("text_model.final_layer_norm") if hasattr(text, "text_model") else text.final_layer_norm
        return [out.last_hidden_state, norm(out.hidden_states[-2])]

    last, before = check("text encoder", text, names, outputs)
    return typed(file_state(text, names), torch.float32), {"text.tokens": tokens, "text.last": last, "text.skip2": before}


def unet_io(what, unet, names, prefix, sizes, context, fractional):
    """Batches of 2 at each of `sizes`; the first with a timestep of its own for each picture."""
    io = {}
    for n, (h, w) in enumerate(sizes):
        io[f"{prefix}.x{n}"] = torch.randn(2, 4, h, w)
        io[f"{prefix}.t{n}"] = torch.tensor([801., 37.]) if n == 0 else torch.tensor([fractional])
        io[f"{prefix}.context{n}"] = torch.randn(2, 20 if n == 0 else 7, context)

    def outputs():
        return [unet(io[f"{prefix}.x{n}"], io[f"{prefix}.t{n}"].expand(2), io[f"{prefix}.context{n}"]).sample for n in range(len(sizes))]

    for n, y in enumerate(check(what, unet, names, outputs)):
        io[f"{prefix}.y{n}"] = y
    return io


# What the middle says has a long way to the output.
GAINS = {"middle_block.2.emb_layers.1.weight": 3., "middle_block.0.out_layers.3.weight": 1.6, "middle_block.2.out_layers.3.weight": 1.6,
         "in_layers.2.bias": 2., "emb_layers.1.bias": 2., "attn2.to_v": 3., "attn1.to_v": 2., "to_q": 2., "to_k": 2.,
         "emb_layers.1.weight": 2., "out.2.weight": 2.}


def make_unet_sd1():
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")).eval()
    names = unet_names(unet)
    randomise(unet, names, torch.float16, GAINS)
    return typed(file_state(unet, names), torch.float16), unet_io("UNet", unet, names, "unet", [(8, 12), (9, 7)], 16, 500.25)


def make_unet_linear():
    unet = UNet2DConditionModel(
        block_out_channels=(6, 12), layers_per_block=2, cross_attention_dim=24, attention_head_dim=3, norm_num_groups=3,
        transformer_layers_per_block=(2, 1), use_linear_projection=True, mid_block_type="UNetMidBlock2DCrossAttn",
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")).eval()
    names = unet_names(unet)
    randomise(unet, names, torch.float16, GAINS | {"input_blocks.5.0.out_layers.3.bias": 2.5})
    return typed(file_state(unet, names), torch.float16), unet_io("UNet, matrices", unet, names, "unet", [(5, 6), (8, 8)], 24, 12.5)


def make_vae():
    torch.manual_seed(20261122)
    vae = AutoencoderKL(block_out_channels=(4, 4, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2,
                        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3).eval()
    names = vae_names(vae)
    randomise(vae, names, torch.bfloat16, {"attn_1.v.weight": 2., "attn_1.q.weight": 2., "attn_1.k.weight": 2., "nin_shortcut.bias": 3.})
    picture, latent = torch.rand(2, 3, 24, 36) * 2 - 1, torch.randn(2, 4, 7, 5)

    def outputs():
        return [vae._encode(picture), vae.decode(latent / SCALE).sample]

    moments, decoded = check("autoencoder", vae, names, outputs)
    return typed(file_state(vae, names), torch.bfloat16), {"vae.picture": picture, "vae.moments": moments, "vae.latent": latent, "vae.decoded": decoded}


def save(name, tensors, metadata=None):
    path = OUT / f"{name}.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=metadata)
    path.chmod(0o644)
    size = path.stat().st_size
    assert size <= 200_000, f"{path}: {size} bytes"
    print(f"{path}: {size} bytes")


@torch.no_grad()
def main():
    OUT.mkdir(exist_ok=True)
    text, text_io = make_text()
    unet, io = make_unet_sd1()
    vae, vae_io = make_vae()
    meta = {"modelspec.architecture": "stable-diffusion-v1", "modelspec.prediction_type": "epsilon", "serigraph.text.heads": "4",
            "serigraph.unet.heads": "2", "serigraph.unet.norm_groups": "2", "serigraph.vae.norm_groups": "2", "serigraph.latent.scale": str(SCALE),
            "serigraph.latent.to_rgb": json.dumps([[.5, 0, 0], [0, .5, 0], [0, 0, .5], [.25, .25, .25]])}
    save("sd1", {**text, **unet, **vae}, meta)
    save("sd1_io", {**text_io, **io, **vae_io})
    unet, io = make_unet_linear()
    save("linear", unet, {"serigraph.unet.norm_groups": "3", "serigraph.unet.heads": "3"})
    save("linear_io", io)


if __name__ == "__main__":
    main()
