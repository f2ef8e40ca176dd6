"""Makes tests/parity/samplers/half_levels.safetensors: Stable Diffusion's noise levels with their products of alphas in half precision, as A1111
had them before 1.7, by k-diffusion's wrapper and torch.

Run with the peers' Python (packaging/dev.sh deps --peers):
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_half_levels.py
"""
import torch
from safetensors.torch import save_file

from make_samplers import HERE, alphas_cumprod, k_diffusion


def main():
    _, external = k_diffusion()
    denoiser = external.DiscreteEpsDDPMDenoiser(torch.nn.Identity(), alphas_cumprod().half(), quantize=False)
    asked = torch.linspace(0.04, 14.0, 50)
    out = {"sigmas": denoiser.sigmas.float(), "uniform.20": denoiser.get_sigmas(20).float(), "asked": asked, "times": denoiser.sigma_to_t(asked).float()}
    path = HERE / "samplers" / "half_levels.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, path, {"origin": "tests/parity/make_half_levels.py, k-diffusion 0.1.1.post1"})
    print(path, path.stat().st_size, "bytes", out["sigmas"][:4], out["uniform.20"][:4])


main()
