"""What the makers of whole pictures of the starter model share: its networks as diffusers has them, noise and schedules of the samplers' maker.

For the peers' Python (packaging/dev.sh deps --peers).
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
STARTER = HERE.parents[1] / "resources/starter"
sys.path[:0] = [str(HERE), str(STARTER)]

from draw import condition  # noqa: E402, F401
from make_samplers import alphas_cumprod, draw, generators, k_diffusion, slerp  # noqa: E402, F401
from networks import LATENT_SCALE, read  # noqa: E402


def read_starter():
    """The text encoder and UNet, and the autoencoder."""
    return read(str(STARTER / "starter.safetensors"))


def decoded(vae, latents):
    """Bytes [pictures, height, width, 3]."""
    pictures = torch.cat([vae.decode(latent[None] / LATENT_SCALE).sample for latent in latents])
    return (((pictures + 1) / 2).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def save(out, script):
    """Beside the test of the script's name."""
    name = pathlib.Path(script).name
    path = HERE / name.removeprefix("make_").removesuffix(".py") / "pictures.safetensors"
    save_file(out, path, {"origin": f"tests/parity/{name}: resources/starter/starter.safetensors, diffusers 0.42, k-diffusion 0.1.1.post1, torch "
                                    + torch.__version__})
    print(path, path.stat().st_size, "bytes")
