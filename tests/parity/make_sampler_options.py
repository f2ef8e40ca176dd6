"""Makes tests/parity/samplers/sampler_options.safetensors: tails of schedules (image to image) for every sampler, every
setting of samplers and schedules, and the noise of resized seeds.

References as in make_all_samplers.py, from which the schedules and models come. Rows of a tail are TAILS and, of
samplers that walk timesteps, GRIDS.
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_sampler_options.py
"""
import numpy
import scipy.special
import torch
from safetensors.torch import save_file

import make_all_samplers as base
import make_samplers
import samplers_independent as own

PATH = base.HERE / "samplers/sampler_options.safetensors"
# Schedule, steps asked for, denoising strength, whether just those steps are made. KL Optimal does not end in 0, DDIM has
# more levels than steps.
TAILS = [("karras", 20, 0.3, False), ("karras", 20, 0.75, False), ("karras", 8, 0.3, True), ("karras", 8, 0.75, True),
         ("kl_optimal", 20, 0.75, False), ("ddim", 37, 0.75, False)]
# Restarts want twenty steps and more, and a tail may begin below the level that they jump to.
LONG_TAILS = [("karras", 30, 0.75, False), ("karras", 100, 0.3, False)]
GRIDS = [(20, 0.3, False), (20, 0.75, False), (8, 0.3, True), (8, 0.75, True), (37, 0.75, False)]
LIMITS = dict(low=0.1, high=10.0, rho=5.0)


class Reference:
    def __init__(self):
        self.sampling, external = make_samplers.k_diffusion()
        self.alphas = make_samplers.alphas_cumprod()
        self.double = self.alphas.double().numpy()
        self.levels, self.lcm_levels = base.levels_of(external, self.alphas)
        self.latent = torch.randn((1,) + base.SHAPE, generator=torch.Generator().manual_seed(3))

    def sigma_walk(self, name, sigmas, whole, latent=None, **options):
        """`name` down these levels, from the tests' noise on the first of them."""
        draw = base.Draw()
        x = draw() * sigmas[0] + (0 if latent is None else latent)
        return self.walked_from(name, x, draw, sigmas, whole, **options)

    def walked_from(self, name, x, draw, sigmas, whole, **options):
        entries = base.k_samplers(self.sampling)
        if name in entries:
            return base.run_k(self.sampling, entries[name], x, draw, sigmas, whole, **options)[0]
        if name in ("DPM fast", "DPM adaptive"):
            # A tail gives them its ends; the last level of all counts as 0.
            return self.dpm(name, x, draw, sigmas[-2].item(), sigmas[0].item(), len(sigmas) - 1, **options)
        walk = own.lcm if name == "LCM" else base.OWN[name]
        named = dict(alphas=self.double) if name == "LCM" else {}
        model = base.plain_eps if name == "LCM" else base.plain_x0
        made = walk(model, x[0].double().numpy(), sigmas.double().numpy(), draw=lambda: draw()[0].double().numpy(), **named)
        return torch.from_numpy(made).float()

    def dpm(self, name, x, draw, low, high, calls, eta=1.0, **options):
        if name == "DPM fast":
            made = self.sampling.sample_dpm_fast(base.x0_model, x, low, high, calls, disable=True, eta=eta, noise_sampler=draw,
                                                 **options)
        else:
            made = self.sampling.sample_dpm_adaptive(base.x0_model, x, low, high, disable=True, eta=eta, noise_sampler=draw,
                                                     **options)
        return made[0]

    def discarded(self, name, n, which):
        levels = self.lcm_levels if name == "LCM" else self.levels
        return base.discarded(name, n, levels, self.sampling, which)


def pass_of(asked, strength, exact):
    """Steps of the whole schedule, and how many before its last step the walk begins."""
    if not exact:
        return asked, int(min(strength, 0.999) * asked)
    return int(asked / min(strength, 0.999)), asked - 1


def add_tails(out, reference):
    out["tail.latent"] = reference.latent[0]
    names = [*base.k_samplers(reference.sampling), *base.OWN, "LCM", "DPM fast", "DPM adaptive"]
    for name in names:
        rows = []
        for which, asked, strength, exact in TAILS + (LONG_TAILS if name == "Restart" else []):
            steps, t_enc = pass_of(asked, strength, exact)
            whole = reference.discarded(name, steps, which)
            rows.append(reference.sigma_walk(name, whole[steps - t_enc - 1:], whole, reference.latent))
        out["tail." + name] = torch.stack(rows)
    for name in ("DDIM", "DDIM CFG++", "PLMS", "UniPC"):
        out["tail." + name] = torch.stack([grid_tail(reference, name, *row) for row in GRIDS])


def add_extra_noise(out, reference):
    """0.3 times the first draw on top: of samplers that walk timesteps, in their scale."""
    for name in ("Euler a", "DPM fast"):
        whole, draw = reference.discarded(name, 20, "karras"), base.Draw()
        sigmas, noise = whole[20 - 15 - 1:], draw()
        out["extra." + name] = reference.walked_from(name, reference.latent + noise * sigmas[0] + noise * 0.3, draw, sigmas, whole)
    for name in ("DDIM", "UniPC"):
        out["extra." + name] = grid_tail(reference, name, 20, 0.75, False, 0.3)


def grid_tail(reference, name, asked, strength, exact, extra=0.0):
    steps, t_enc = pass_of(asked, strength, exact)
    grid = base.grid_of(steps)
    # The noise is that of one entry above the first call.
    kept = reference.alphas[grid[t_enc]].double()
    draw = base.Draw()
    noise = draw()
    x = (kept.sqrt() * (reference.latent + noise * extra) + (1 - kept).sqrt() * noise).double()
    if name == "PLMS":
        return base.plms(grid[:t_enc], x)[0].float()
    if name == "UniPC":
        return base.unipc(t_enc, reference.alphas, x, (grid[t_enc - 1] + 1) / 1000)[0]
    model, eta = (base.alone, 0.0) if name == "DDIM" else (base.pair, 0.7)
    made = own.ddim_cfgpp(model, x[0].numpy(), grid[:t_enc], reference.double, draw=lambda: draw()[0].double().numpy(), eta=eta)
    return torch.from_numpy(made).float()


def add_noise_settings(out, reference):
    """Churn and noise scale reach those that A1111 passes them to, and only those; eta 0.5."""
    churn = dict(s_churn=6.0, s_tmin=0.5, s_tmax=8.0, s_noise=1.05)
    scaled = ("DPM2 a", "DPM++ 2S a", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE")
    runs = [(name, churn) for name in ("Euler", "Heun", "DPM2")] + [(name, dict(eta=0.5, s_noise=1.05)) for name in scaled]
    for name, options in runs + [("Euler a", dict(eta=0.5))]:
        sigmas = reference.discarded(name, 20, "karras")
        out["options." + name] = reference.sigma_walk(name, sigmas, sigmas, **options)
    low, high = reference.levels.sigmas[0].item(), reference.levels.sigmas[-1].item()
    for name, options in (("DPM fast", dict(eta=0.5, s_noise=1.05)), ("DPM adaptive", dict(eta=0.5))):
        draw = base.Draw()
        out["options." + name] = reference.dpm(name, draw() * high, draw, low, high, 20, **options)


def limited(reference, which, n, low=0.0, high=0.0, rho=0.0, beta=(0.6, 0.6)):
    """A schedule with A1111's settings; rho is for the two that have one."""
    levels, sampling = reference.levels, reference.sampling
    low, high = low or levels.sigmas[0].item(), high or levels.sigmas[-1].item()
    if which == "karras":
        return sampling.get_sigmas_karras(n, low, high, rho or 7)
    if which == "exponential":
        return sampling.get_sigmas_exponential(n, low, high)
    if which == "polyexponential":
        return sampling.get_sigmas_polyexponential(n, low, high, rho or 1)
    if which == "beta":
        share = scipy.special.betaincinv(*beta, 1 - numpy.linspace(0, 1, n))
        return torch.tensor(numpy.append(low + share * (high - low), 0.0), dtype=torch.float32)
    if which in ("sgm_uniform", "normal"):
        span = torch.linspace(levels.to_t(torch.tensor(high)), levels.to_t(torch.tensor(low)), n + (which == "sgm_uniform"))
        return torch.cat([levels.to_sigma(span[:n]), torch.zeros(1)])
    if which == "kl_optimal":
        return torch.tensor(numpy.tan(numpy.linspace(numpy.arctan(high), numpy.arctan(low), n + 1)), dtype=torch.float32)
    # Uniform, Simple, DDIM and Align Your Steps have levels of their own.
    return base.schedule(which, n, levels, sampling)


def add_schedule_settings(out, reference):
    for which in base.SCHEDULES:
        out["limits." + which] = limited(reference, which, 20, **LIMITS)
    out["beta.0.5.0.8"] = limited(reference, "beta", 20, beta=(0.5, 0.8))
    sigmas = limited(reference, "karras", 20, **LIMITS)
    for name in ("Euler", "DPM++ SDE", "LMS"):
        out["limits." + name] = reference.sigma_walk(name, sigmas, sigmas)
    # DPM fast takes the limits for the noise that it begins with, not for its range.
    draw = base.Draw()
    ends = reference.levels.sigmas[0].item(), reference.levels.sigmas[-1].item()
    out["limits.DPM fast"] = reference.dpm("DPM fast", draw() * sigmas[0], draw, *ends, 20)
    for name in ("Euler", "DPM++ 2M SDE"):
        for which in ("karras", "kl_optimal"):
            whole = base.schedule(which, 21, reference.levels, reference.sampling)
            sigmas = torch.cat([whole[:-2], whole[-1:]])
            out[f"discard.{name}.{which}"] = reference.sigma_walk(name, sigmas, sigmas)
    for name in ("Euler", "DPM++ 2M"):
        sigmas, draw = reference.discarded(name, 20, "karras"), base.Draw()
        x = draw() * torch.sqrt(1.0 + sigmas[0] ** 2)
        out["sgm." + name] = reference.walked_from(name, x, draw, sigmas, sigmas)


def add_unipc(out, reference):
    """Variant, skip type, order, lower orders at the end: diffusers for bh1 and bh2, else the independent one."""
    for steps in (7, 20):
        count = len(base.grid_of(steps))
        for skip in ("time_uniform", "time_quadratic", "logSNR"):
            times = own.unipc_times(count, 1.0, skip, reference.double)
            for order in (1, 2, 3, 4):
                for final in (True, False):
                    start, end = base.Draw()(), f"{skip}.{order}.{int(final)}.{steps}"
                    for variant in ("bh1", "bh2"):
                        made = base.unipc_on(times, reference.alphas, start, order, variant, final)
                        out[f"unipc.{variant}.{end}"] = made[0]
                    made = own.unipc_vary(base.plain_eps, start[0].double().numpy(), times, reference.double, order, final)
                    out[f"unipc.vary_coeff.{end}"] = torch.from_numpy(made).float()


# name: pixels of the latent, of the seed's own size, strength of the variation, ENSD
SEEDS = {"larger": ((8, 7), (4, 4), 0.0, 0), "smaller": ((2, 4), (5, 7), 0.3, 0), "crossed": ((4, 9), (7, 4), 0.6, 31337),
         "moved": ((4, 4), None, 0.0, 31337), "moved variation": ((4, 4), None, 0.3, 5)}


def add_seeds(out):
    """First and second draw of one picture's noise, seed 5 and variation seed 9, as fidelity facts tell it."""
    def source(seed):
        return torch.Generator("cpu").manual_seed(seed)

    for name, (size, own_size, strength, delta) in SEEDS.items():
        generator = source(5)
        if own_size:
            noise = torch.randn((4,) + own_size, generator=source(5))
        else:
            noise = torch.randn((4,) + size, generator=generator)
        if strength:
            noise = make_samplers.slerp(strength, noise, torch.randn(noise.shape, generator=source(9)))
        if own_size:
            noise = pasted(torch.randn((4,) + size, generator=generator), noise)
        if delta:
            generator = source(5 + delta)
        out[f"seed.{name}.0"] = noise
        out[f"seed.{name}.1"] = torch.randn((4,) + size, generator=generator)


def pasted(large, small):
    """The middle of one in the middle of the other, halves rounded down, on each axis by itself."""
    places = []
    for whole, part in zip(large.shape[1:], small.shape[1:]):
        offset = (whole - part) // 2
        length = part if offset >= 0 else part + 2 * offset
        places.append((slice(max(offset, 0), max(offset, 0) + length), slice(max(-offset, 0), max(-offset, 0) + length)))
    large[:, places[0][0], places[1][0]] = small[:, places[0][1], places[1][1]]
    return large


def main():
    torch.set_num_threads(1)
    reference, out = Reference(), {}
    add_tails(out, reference)
    add_extra_noise(out, reference)
    add_noise_settings(out, reference)
    add_schedule_settings(out, reference)
    add_unipc(out, reference)
    add_seeds(out)
    save_file({name: tensor.contiguous().clone() for name, tensor in out.items()}, PATH,
              {"origin": "tests/parity/make_sampler_options.py: k-diffusion 0.1.1.post1, torchsde 0.2.6, diffusers 0.42, torch "
               + torch.__version__})
    print(f"{PATH}: {len(out)} tensors, {PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
