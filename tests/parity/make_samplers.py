"""Makes tests/parity/samplers/samplers.safetensors: what our samplers, schedules, noise and guidance are held against.

Reference: k-diffusion 0.1.1.post1 (its sampling.py and external.py, from the sdist on PyPI), diffusers' DDIMScheduler, torch's CPU generator.
Run with the peers' Python (packaging/dev.sh deps --peers):
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_samplers.py
"""
import functools
import importlib.util
import os
import pathlib
import sys
import tarfile
import tempfile
import types

import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(os.environ.get("SERIGRAPH_CACHE", pathlib.Path.home() / ".cache/serigraph"))
STEPS = (1, 5, 11, 20)
SHAPE = (4, 6, 5)
SEEDS = (1, 4294967295)


@functools.cache
def k_diffusion():
    """k-diffusion's two files, without what they import for other purposes."""
    folder = tempfile.mkdtemp()
    with tarfile.open(CACHE / "downloads/k-diffusion-0.1.1.post1.tar.gz") as archive:
        archive.extractall(folder)
    package = types.ModuleType("k_diffusion")
    package.__path__ = [os.path.join(folder, "k-diffusion-0.1.1.post1/k_diffusion")]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    stubs = {"k_diffusion": package, "k_diffusion.utils": utils}
    for name in ("scipy", "torchdiffeq", "torchsde"):
        if importlib.util.find_spec(name) is None:
            stubs[name] = types.ModuleType(name)
            stubs[name].integrate = stubs[name].odeint = None
    sys.modules.update(stubs)
    package.utils = utils
    from k_diffusion import sampling
    package.sampling = sampling
    from k_diffusion import external
    return sampling, external


def alphas_cumprod():
    betas = torch.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def slerp(weight, low, high):
    """Along dimension 1 of CHW, as A1111 does (see fidelity facts)."""
    low_unit = low / torch.norm(low, dim=1, keepdim=True)
    high_unit = high / torch.norm(high, dim=1, keepdim=True)
    angle = torch.acos((low_unit * high_unit).sum(1))
    sine = torch.sin(angle)
    return (torch.sin((1.0 - weight) * angle) / sine).unsqueeze(1) * low + (torch.sin(weight * angle) / sine).unsqueeze(1) * high


def generators(seeds=SEEDS):
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def draw(sources, shape=SHAPE):
    return torch.stack([torch.randn(shape, generator=source) for source in sources])


def x0_model(x, sigma, **_):
    """Any smooth function of both will do; the C++ test has the same."""
    level = sigma.view(-1, 1, 1, 1)
    return x / (level ** 2 + 1) + 0.4 * torch.tanh(x) / (1 + 0.1 * level)


def eps_model(x, t):
    return 0.3 * torch.tanh(x) + 0.1 * x + t / 2000


class Network(torch.nn.Module):
    """A stand-in for the UNet: depends on all three inputs."""

    def forward(self, x, t, context):
        return torch.tanh(x) * context.mean((1, 2)).view(-1, 1, 1, 1) + t.view(-1, 1, 1, 1) / 1000 + 0.1 * x


def add_noise(out):
    for strength in (0.0, 0.3):
        sources = generators()
        first = draw(sources)
        if strength:
            others = draw(generators((7, 8)))
            first = torch.stack([slerp(strength, a, b) for a, b in zip(first, others)])
        out[f"noise.{strength}.0"] = first
        out[f"noise.{strength}.1"] = draw(sources)
        out[f"noise.{strength}.2"] = draw(sources)


def add_schedules(out, sampling, levels):
    low, high = levels.sigmas[0].item(), levels.sigmas[-1].item()
    for n in STEPS:
        out[f"sigmas.uniform.{n}"] = levels.get_sigmas(n)
        out[f"sigmas.karras.{n}"] = sampling.get_sigmas_karras(n, low, high)
        out[f"sigmas.exponential.{n}"] = sampling.get_sigmas_exponential(n, low, high)
    out["levels.sigmas"] = levels.sigmas
    probe = torch.exp(torch.linspace(torch.tensor(0.01).log(), torch.tensor(20.0).log(), 100))
    out["levels.probe"] = probe
    out["levels.t"] = levels.sigma_to_t(probe)
    times = torch.linspace(0, 999, 100)
    out["levels.times"] = times
    out["levels.sigma"] = levels.t_to_sigma(times)


def add_samplers(out, sampling):
    for schedule in ("uniform", "karras", "exponential"):
        for n in STEPS:
            sigmas = out[f"sigmas.{schedule}.{n}"]
            runs = {"Euler": (sampling.sample_euler, {}), "DPM++ 2M": (sampling.sample_dpmpp_2m, {})}
            for eta in (0.0, 0.6, 1.0):
                runs[f"Euler a@{eta}"] = (sampling.sample_euler_ancestral, {"eta": eta})
            for name, (sampler, options) in runs.items():
                sources = generators()
                x = draw(sources) * sigmas[0]
                if "eta" in options:
                    options["noise_sampler"] = lambda *_, sources=sources: draw(sources)
                out[f"sample.{name}.{schedule}.{n}"] = sampler(x0_model, x, sigmas, disable=True, **options)


def add_ddim(out):
    for steps in (2, 5, 15, 20, 30):
        grid = [min(t + 1, 999) for t in range(0, 1000, 1000 // steps)]
        out[f"grid.{steps}"] = torch.tensor(grid, dtype=torch.int64)
        for eta in (0.0, 0.7):
            scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                                      set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading")
            scheduler.set_timesteps(steps)
            sources = generators()
            x = draw(sources)
            # A1111's loop: every entry but the lowest, whose update would lead to the clean picture.
            for t in reversed(grid[1:]):
                noise = draw(sources) if eta else None
                x = scheduler.step(eps_model(x, t), t, x, eta=eta, variance_noise=noise).prev_sample
            out[f"ddim.{steps}.{eta}"] = x


def add_guidance(out, external, alphas):
    """The eps and v parametrisations and classifier-free guidance, cond and uncond in calls of their own."""
    source = torch.Generator("cpu").manual_seed(5)
    wanted, unwanted = torch.randn((1, 7, 3), generator=source), torch.randn((1, 7, 3), generator=source)
    longer = torch.randn((1, 14, 3), generator=source)
    x = torch.randn((2,) + SHAPE, generator=source)
    out.update({"guide.wanted": wanted, "guide.unwanted": unwanted, "guide.longer": longer, "guide.x": x})
    for kind in ("eps", "v"):
        if kind == "eps":
            denoiser = external.DiscreteEpsDDPMDenoiser(Network(), alphas, quantize=False)
            denoiser.get_eps = lambda *a, **k: denoiser.inner_model(*a, **k)
        else:
            denoiser = external.DiscreteVDDPMDenoiser(Network(), alphas, quantize=False)
            denoiser.get_v = lambda *a, **k: denoiser.inner_model(*a, **k)
        for sigma in (14.0, 1.234, 0.05):
            level = torch.full((2,), sigma)
            for name, other in (("same", unwanted), ("longer", longer)):
                with_words = denoiser(x * sigma, level, context=wanted.expand(2, -1, -1))
                without = denoiser(x * sigma, level, context=other.expand(2, -1, -1))
                for scale in (1.0, 7.5):
                    out[f"guide.{kind}.{sigma}.{name}.{scale}"] = without + (with_words - without) * scale


def main():
    torch.set_num_threads(1)
    sampling, external = k_diffusion()
    alphas = alphas_cumprod()
    levels = external.DiscreteSchedule(((1 - alphas) / alphas) ** 0.5, quantize=False)
    out = {}
    add_noise(out)
    add_schedules(out, sampling, levels)
    add_samplers(out, sampling)
    add_ddim(out)
    add_guidance(out, external, alphas)
    path = HERE / "samplers/samplers.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in out.items()}, path,
              {"origin": "tests/parity/make_samplers.py: k-diffusion 0.1.1.post1, diffusers 0.42, torch " + torch.__version__})
    print(f"{path}: {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
