"""Makes tests/parity/samplers/all_samplers.safetensors: every sampler on every schedule with 5, 20 and 37 steps.

References: k-diffusion 0.1.1.post1 with torchsde 0.2.6 for what it has; diffusers for DDIM, PLMS and UniPC; for the rest
samplers_independent.py, and for some schedules schedule_references.py. check_samplers.py goes over the result. One tensor a sampler: a row for each schedule and number of steps, in that order.
    ~/.cache/serigraph/venv-peers/bin/python tests/parity/make_all_samplers.py
"""
import math
import pathlib

import numpy
import torch
import torchsde
from diffusers import DDIMScheduler, PNDMScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

import make_samplers
import samplers_independent as own
import schedule_references

HERE = pathlib.Path(__file__).parent
SHAPE = (4, 4, 4)
SEED = 4294967295
STEPS = (5, 20, 37)
SCHEDULES = ("uniform", "karras", "exponential", "polyexponential", "sgm_uniform", "kl_optimal", "align_your_steps", "simple",
             "normal", "ddim", "beta")
AYS = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
DROPS = ("DPM2", "DPM2 a", "DPM++ 3M SDE")
MAKE_SCHEDULER = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
                      timestep_spacing="leading")


class Levels:
    """What a schedule is made from: a table, and the two maps between t and sigma."""

    def __init__(self, sigmas, to_t, to_sigma, times):
        self.sigmas, self.to_t, self.to_sigma, self.times = sigmas, to_t, to_sigma, times


def schedule(name, n, levels, sampling):
    low, high = levels.sigmas[0].item(), levels.sigmas[-1].item()
    zero = torch.zeros(1)
    span = (levels.to_t(torch.tensor(high)), levels.to_t(torch.tensor(low)))
    if name == "uniform":
        return torch.cat([levels.to_sigma(torch.linspace(*levels.times, n)), zero])
    if name == "karras":
        return sampling.get_sigmas_karras(n, low, high)
    if name == "exponential":
        return sampling.get_sigmas_exponential(n, low, high)
    if name == "polyexponential":
        return sampling.get_sigmas_polyexponential(n, low, high)
    if name == "sgm_uniform":
        return torch.cat([levels.to_sigma(torch.linspace(*span, n + 1)[:-1]), zero])
    if name == "normal":
        return torch.cat([levels.to_sigma(torch.linspace(*span, n)), zero])
    if name == "kl_optimal":
        share = torch.arange(n + 1) / n
        made = torch.tan(share * torch.tensor(low).atan() + (1.0 - share) * torch.tensor(high).atan())
        assert torch.allclose(made.double(), torch.tensor(schedule_references.kl_optimal(n, low, high), dtype=torch.float64), rtol=1e-5)
        return made
    if name == "align_your_steps":
        return torch.tensor(schedule_references.align_your_steps(n, AYS), dtype=torch.float32)
    if name == "beta":
        return torch.tensor(schedule_references.beta_schedule(n, low, high), dtype=torch.float32)
    table = levels.sigmas.tolist()
    if name == "simple":
        return torch.tensor([table[-(1 + int(i * (len(table) / n)))] for i in range(n)] + [0.0])
    return torch.tensor(table[1::max(len(table) // n, 1)][::-1] + [0.0])


class Draw:
    """One picture's generator, as the C++ side's NoiseSource."""

    def __init__(self):
        self.source = torch.Generator("cpu").manual_seed(SEED)

    def __call__(self, *_):
        return torch.randn(SHAPE, generator=self.source)[None]


def x0_model(x, sigma, **_):
    return make_samplers.x0_model(x, sigma)


# The same models and noise for samplers_independent.py, which knows numpy's float64 only.

def plain_x0(x, sigma):
    return x / (sigma ** 2 + 1) + 0.4 * numpy.tanh(x) / (1 + 0.1 * sigma)


def plain_eps(x, t):
    return 0.3 * numpy.tanh(x) + 0.1 * x + t / 2000


def alone(x, t):
    """Without guidance DDIM CFG++ is DDIM."""
    return (plain_eps(x, t),) * 2


def pair(x, t):
    unwanted = 0.2 * numpy.tanh(x) - 0.05 * x
    return unwanted + (plain_eps(x, t) - unwanted) * (7 / 12.5), unwanted


def walked(function, model, scale, *arguments, **named):
    """What `function` makes of the tests' noise times `scale`; it draws on where that noise ends."""
    source = Draw()

    def draw():
        return source()[0].double().numpy()
    return torch.from_numpy(function(model, draw() * scale, *arguments, draw=draw, **named)).float()


def k_samplers(s):
    """name: function, whether noise is a Brownian path, arguments."""
    return {"DPM++ 2M": (s.sample_dpmpp_2m, False, {}), "DPM++ SDE": (s.sample_dpmpp_sde, True, {}),
            "DPM++ 2M SDE": (s.sample_dpmpp_2m_sde, True, {}),
            "DPM++ 2M SDE Heun": (s.sample_dpmpp_2m_sde, True, {"solver_type": "heun"}),
            "DPM++ 2S a": (s.sample_dpmpp_2s_ancestral, False, {"noise_sampler": None}),
            "DPM++ 3M SDE": (s.sample_dpmpp_3m_sde, True, {}),
            "Euler a": (s.sample_euler_ancestral, False, {"noise_sampler": None}), "Euler": (s.sample_euler, False, {}),
            "LMS": (s.sample_lms, False, {}), "Heun": (s.sample_heun, False, {}), "DPM2": (s.sample_dpm_2, False, {}),
            "DPM2 a": (s.sample_dpm_2_ancestral, False, {"noise_sampler": None})}


OWN = {"HeunPP2": own.heun_pp2, "IPNDM": own.ipndm, "IPNDM_V": own.ipndm_v, "DEIS": own.deis, "DDPM": own.ddpm,
       "Restart": own.restart}


def run_k(sampling, entry, x, draw, sigmas, whole, **options):
    function, brownian, arguments = entry
    arguments = {**arguments, **options}
    if "noise_sampler" in arguments:
        arguments["noise_sampler"] = draw
    if brownian:
        arguments["noise_sampler"] = sampling.BrownianTreeNoiseSampler(x, whole[whole > 0].min(), whole.max(), seed=[SEED])
    torch_draw, sampling.torch.randn_like = torch.randn_like, lambda like: draw()
    try:
        return function(x0_model, x, sigmas, disable=True, **arguments)
    finally:
        sampling.torch.randn_like = torch_draw


def discarded(name, n, levels, sampling, which):
    sigmas = schedule(which, n + (name in DROPS), levels, sampling)
    return torch.cat([sigmas[:-2], sigmas[-1:]]) if name in DROPS else sigmas


def add_sigma_samplers(out, sampling, levels, lcm_levels, alphas):
    for name, entry in k_samplers(sampling).items():
        rows = []
        for which in SCHEDULES:
            for n in STEPS:
                sigmas = discarded(name, n, levels, sampling, which)
                draw = Draw()
                rows.append(run_k(sampling, entry, draw() * sigmas[0], draw, sigmas, sigmas)[0])
        out["all." + name] = torch.stack(rows)
    for name, function in OWN.items():
        out["all." + name] = torch.stack([
            walked(function, plain_x0, sigmas[0], sigmas)
            for sigmas in (schedule(which, n, levels, sampling).double().numpy() for which in SCHEDULES for n in STEPS)])
    out["all.LCM"] = torch.stack([
        walked(own.lcm, plain_eps, sigmas[0], sigmas, alphas=alphas.double().numpy())
        for sigmas in (schedule(which, n, lcm_levels, sampling).double().numpy() for which in SCHEDULES for n in STEPS)])


def add_dpm(out, sampling, levels):
    low, high = levels.sigmas[0].item(), levels.sigmas[-1].item()
    for eta in (1.0, 0.0):
        rows = {"DPM fast": [], "DPM adaptive": []}
        for n in STEPS:
            for name in rows:
                draw = Draw()
                x = draw() * high
                if name == "DPM fast":
                    made = sampling.sample_dpm_fast(x0_model, x, low, high, n, disable=True, eta=eta, noise_sampler=draw)
                else:
                    made = sampling.sample_dpm_adaptive(x0_model, x, low, high, disable=True, eta=eta, noise_sampler=draw)
                rows[name].append(made[0])
        for name in rows:
            out[f"{name}.{eta}"] = torch.stack(rows[name])


def grid_of(n):
    return [min(t + 1, 999) for t in range(0, 1000, 1000 // n)]


def vp(levels, alphas, time):
    """sigma of the continuous process: log alpha on straight lines between t = 1/1000, 2/1000 ... 1."""
    log = numpy.interp(time, numpy.arange(1, 1001) / 1000, 0.5 * numpy.log(alphas))
    return math.sqrt(math.expm1(-2 * log))


def add_timesteps(out, alphas):
    double = alphas.double().numpy()
    for n in STEPS:
        grid = grid_of(n)
        # diffusers counts back by a fixed stride and so has A1111's last entry (999) only when the stride divides.
        by_hand = grid[-1] - grid[-2] != 1000 // n
        for eta in (0.0, 0.7):
            scheduler = DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **MAKE_SCHEDULER)
            scheduler.set_timesteps(n)
            draw = Draw()
            x = draw()
            if by_hand:
                x = walked(own.ddim_cfgpp, alone, 1, grid, double, eta=eta)[None]
            else:
                for t in reversed(grid[1:]):
                    x = scheduler.step(make_samplers.eps_model(x, t), t, x, eta=eta,
                                       variance_noise=draw() if eta else None).prev_sample
            out[f"DDIM.{n}.{eta}"] = x[0]
            out[f"DDIM CFG++.{n}.{eta}"] = walked(own.ddim_cfgpp, pair, 1, grid, double, eta=eta)
        out[f"PLMS.{n}"] = plms(grid, Draw()())[0]
        out[f"UniPC.{n}"] = unipc(len(grid), alphas, Draw()(), 1.0)[0]


def plms(grid, x):
    """diffusers' PNDM on any grid: the second call reads the next level and then goes from the first one again."""
    scheduler = PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **MAKE_SCHEDULER)
    scheduler.set_timesteps(len(grid))
    after = {t: b for t, b in zip(grid[1:], grid[:-1])}
    update = scheduler._get_prev_sample
    calls = [grid[-1], grid[-2]] + grid[-2:0:-1]
    for index, t in enumerate(calls):
        start, end = (grid[-1], grid[-2]) if index == 1 else (t, after[t])
        scheduler._get_prev_sample = lambda x, _t, _p, e: update(x, start, end, e)
        x = scheduler.step_plms(make_samplers.eps_model(x, t), t, x).prev_sample
    return x


def unipc(count, alphas, x, start):
    return unipc_on(numpy.linspace(start, 0.001, count + 1), alphas, x)


def unipc_on(times, alphas, x, order=3, variant="bh1", lower_final=True):
    """diffusers' UniPC on A1111's times, which lie between the network's."""
    scheduler = UniPCMultistepScheduler(solver_order=order, solver_type=variant, lower_order_final=lower_final, **MAKE_SCHEDULER)
    scheduler.set_timesteps(len(times) - 1)
    scheduler.sigmas = torch.tensor([vp(None, alphas.double().numpy(), t) for t in times], dtype=torch.float64)
    scheduler.timesteps = torch.tensor((times[:-1] - 0.001) * 1000)
    scheduler.set_begin_index(0)
    x = x.double()
    for t in scheduler.timesteps:
        x = scheduler.step(make_samplers.eps_model(x, t.item()), t, x).prev_sample
    return x.float()


def add_trees(out):
    """The questions DPM++ SDE asks, then some across what is split already."""
    low, high = 0.0291675, 14.614641
    sigmas = [14.614641, 6.1234567, 2.5, 0.9, 0.31, 0.0291675]
    questions = []
    for a, b in zip(sigmas[:-1], sigmas[1:]):
        questions += [(math.sqrt(a * b), a), (b, a)]
    questions += [(0.5, 9.0), (0.0291675, 14.614641), (3.0, 3.0), (0.001, 0.5), (14.0, 99.0)]
    for seed in (0, 1, SEED, 2 ** 40 + 5):
        tree = torchsde.BrownianTree(t0=low, w0=torch.zeros(SHAPE), t1=high, entropy=seed)
        out[f"tree.{seed}"] = torch.stack([tree(a, b) for a, b in questions])
    out["tree.questions"] = torch.tensor(questions, dtype=torch.float64).view(torch.int64)


def levels_of(external, alphas):
    """The network's levels, and the fifty of LCM."""
    denoiser = external.DiscreteSchedule(((1 - alphas) / alphas) ** 0.5, quantize=False)
    few = alphas[19::20]
    table = ((1 - few) / few) ** 0.5
    inner = external.DiscreteSchedule(table, quantize=False)
    return (Levels(denoiser.sigmas, denoiser.sigma_to_t, denoiser.t_to_sigma, (999, 0)),
            Levels(table, lambda s: (torch.log(s) - torch.log(table)).abs().argmin().float() * 20 + 19,
                   lambda t: inner.t_to_sigma(((t - 19) / 20).clamp(0, 49)), (999, 19)))


def main():
    torch.set_num_threads(1)
    sampling, external = make_samplers.k_diffusion()
    alphas = make_samplers.alphas_cumprod()
    levels, lcm_levels = levels_of(external, alphas)
    out = {}
    for which in SCHEDULES:
        for n in STEPS:
            out[f"sigmas.{which}.{n}"] = schedule(which, n, levels, sampling)
    add_sigma_samplers(out, sampling, levels, lcm_levels, alphas)
    add_dpm(out, sampling, levels)
    add_timesteps(out, alphas)
    add_trees(out)
    path = HERE / "samplers/all_samplers.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in out.items()}, path,
              {"origin": "tests/parity/make_all_samplers.py: k-diffusion 0.1.1.post1, torchsde 0.2.6, diffusers 0.42, torch "
               + torch.__version__})
    print(f"{path}: {len(out)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
