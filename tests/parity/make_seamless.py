"""Makes tests/parity/networks/seamless_io.safetensors: what diffusers' networks make of an input when their convolutions pad with the other
side of the picture (padding_mode "circular"), both ways and one way. The networks are those of make_networks.py and make_families.py, read
back from their files, so run this again after those.

    unet.*, linear.*   UNets of sd1.safetensors and linear.safetensors (inputs: those of their *_io files)
    vae.*              decoder and encoder of sd1.safetensors; the encoder's halvings keep their zeros, as in A1111
    taesd.*            the tiny autoencoder
    *.both, *.across, *.down: which edges meet

Run with the peers' Python:
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_seamless.py
"""
import pathlib

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file

from ldm_names import unet_names, vae_names
from make_networks import OUT, SCALE, save

AXES = {"both": (True, True), "across": (True, False), "down": (False, True)}


def wrap(module, across, down):
    """Every convolution that pads: first around, then with what is left of zeros."""
    for conv in module.modules():
        if not isinstance(conv, torch.nn.Conv2d):
            continue
        n = conv.padding[0]

        def forward(x, conv=conv, n=n):
            x = F.pad(x, (n, n, 0, 0), mode="circular" if across and n else "constant")
            x = F.pad(x, (0, 0, n, n), mode="circular" if down and n else "constant")
            return F.conv2d(x, conv.weight, conv.bias, conv.stride)
        conv.forward = forward
    return module


def filled(module, names, file):
    """`names`: {the module's key: the file's}."""
    state = load_file(OUT / f"{file}.safetensors")
    values = {key: state[name].float().reshape(module.state_dict()[key].shape) for key, name in names.items()}
    missing, unexpected = module.load_state_dict(values, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    return module.eval()


def unet_sd1():
    unet = UNet2DConditionModel(
        block_out_channels=(4, 8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=2, norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))
    return filled(unet, unet_names(unet), "sd1")


def unet_linear():
    unet = UNet2DConditionModel(
        block_out_channels=(6, 12), layers_per_block=2, cross_attention_dim=24, attention_head_dim=3, norm_num_groups=3,
        transformer_layers_per_block=(2, 1), use_linear_projection=True, mid_block_type="UNetMidBlock2DCrossAttn",
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    return filled(unet, unet_names(unet), "linear")


def vae():
    made = AutoencoderKL(block_out_channels=(4, 4, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2,
                         down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3)
    return filled(made, vae_names(made), "sd1")


def taesd():
    tiny = AutoencoderTiny(encoder_block_out_channels=(4, 4, 4, 4), decoder_block_out_channels=(4, 4, 4, 4))
    names = {}
    for key in tiny.state_dict():
        side, _, number, rest = key.split(".", 3)
        names[key] = f"taesd_{side}.{int(number) + (side == 'decoder')}.{rest}"
    return filled(tiny, names, "taesd")


@torch.no_grad()
def main():
    made = {}
    for axis, (across, down) in AXES.items():
        for prefix, make, file in (("unet", unet_sd1, "sd1_io"), ("linear", unet_linear, "linear_io")):
            io, unet = load_file(OUT / f"{file}.safetensors"), wrap(make(), across, down)
            for n in range(2):
                made[f"{prefix}.y{n}.{axis}"] = unet(io[f"unet.x{n}"], io[f"unet.t{n}"].expand(2), io[f"unet.context{n}"]).sample
        io, net = load_file(OUT / "sd1_io.safetensors"), wrap(vae(), across, down)
        made[f"vae.decoded.{axis}"] = net.decode(io["vae.latent"] / SCALE).sample
        made[f"vae.moments.{axis}"] = net._encode(io["vae.picture"])
        io, net = load_file(OUT / "taesd_io.safetensors"), wrap(taesd(), across, down)
        made[f"taesd.decoded.{axis}"] = net.decode(io["latent"]).sample
        made[f"taesd.encoded.{axis}"] = net.encode(io["picture"]).latents
    for name, value in made.items():
        assert value.isfinite().all(), name
        if name.endswith(".across"):
            other = made[name.replace(".across", ".down")]
            print(name, tuple(value.shape), "differs from down by", round((value - other).abs().max().item(), 3))
    save("seamless_io", made)


if __name__ == "__main__":
    main()
