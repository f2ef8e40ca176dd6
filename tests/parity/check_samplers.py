"""Holds samplers_independent.py, and the committed all_samplers.safetensors, against other sources.

    ~/.cache/serigraph/venv-peers/bin/python tests/parity/check_samplers.py

Prints one line for each comparison and ends with 1 when one is beyond its limit. It shares nothing with
make_all_samplers.py but the data: the schedules and the fifty levels of LCM are written again here too.
"""
import pathlib
import sys

import diffusers
import numpy as np
import scipy.integrate
import scipy.special
import torch
from diffusers.schedulers import scheduling_ddpm, scheduling_lcm
from safetensors.numpy import load_file

import samplers_independent as own

DATA = pathlib.Path(__file__).parent / "samplers" / "all_samplers.safetensors"
STEPS = (5, 20, 37)
SCHEDULES = ("uniform karras exponential polyexponential sgm_uniform kl_optimal align_your_steps simple normal ddim "
             "beta").split()
# A checkpoint's table is float32, and so are A1111's levels.
ALPHAS = np.cumprod(1 - np.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000) ** 2).astype(np.float32).astype(np.float64)
SD1_STEPS = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
failed = []


class Draw:
    """The noise of the tests: torch's CPU generator, seed 2^32 - 1, one block after another."""

    def __init__(self, seed=4294967295):
        self.source = torch.Generator("cpu").manual_seed(seed)

    def __call__(self):
        return torch.randn((4, 4, 4), generator=self.source).double().numpy()


def x0(x, sigma):
    return x / (sigma ** 2 + 1) + 0.4 * np.tanh(x) / (1 + 0.1 * sigma)


def eps(x, time):
    return 0.3 * np.tanh(x) + 0.1 * x + time / 2000


def pair(x, time):
    unguided = 0.2 * np.tanh(x) - 0.05 * x
    return unguided + 7 / 12.5 * (eps(x, time) - unguided), unguided


def report(what, made, wanted, limit):
    made, wanted = np.asarray(made, np.float64), np.asarray(wanted, np.float64)
    error = np.abs(made - wanted).max() / np.abs(wanted).max() if made.shape == wanted.shape else np.inf
    print(f"{'ok ' if error <= limit else 'BAD'} {error:.1e} of {limit:.0e}  {what}")
    if not error <= limit:
        failed.append(what)


def schedule(name, n, table):
    """Any table of levels; a time of the network is a place in it."""
    low, high, last = table[0], table[-1], len(table) - 1

    def at(position):
        return np.exp(np.interp(position, np.arange(len(table)), np.log(table)))
    if name in ("uniform", "normal"):
        made = at(np.linspace(last, 0, n))
    elif name == "karras":
        made = np.linspace(high ** (1 / 7), low ** (1 / 7), n) ** 7
    elif name in ("exponential", "polyexponential"):
        made = np.geomspace(high, low, n)
    elif name == "sgm_uniform":
        made = at(np.linspace(last, 0, n + 1)[:-1])
    elif name == "kl_optimal":
        return np.tan(np.linspace(np.arctan(high), np.arctan(low), n + 1))
    elif name == "align_your_steps":
        made = np.exp(np.interp(np.linspace(0, 10, n), np.arange(11), np.log(SD1_STEPS)))
    elif name == "simple":
        made = np.array([table[last - i * len(table) // n] for i in range(n)])
    elif name == "ddim":
        made = table[1::max(len(table) // n, 1)][::-1]
    else:
        made = low + (high - low) * scipy.special.betaincinv(0.6, 0.6, 1 - np.arange(n) / (n - 1))
    return np.append(made, 0.0)


def check_data():
    """The committed expectations of our samplers, from scratch."""
    data = load_file(DATA)
    table = np.sqrt((1 - ALPHAS) / ALPHAS)
    fifty = own.lcm_levels(ALPHAS)
    levels = [(name, n) for name in SCHEDULES for n in STEPS]
    for name, n in levels:
        report(f"sigmas of {name} {n}", schedule(name, n, table), data[f"sigmas.{name}.{n}"], 2e-6)
    walkers = {"Restart": own.restart, "HeunPP2": own.heun_pp2, "IPNDM": own.ipndm, "IPNDM_V": own.ipndm_v,
               "DEIS": own.deis, "DDPM": own.ddpm}
    for sampler, walk in walkers.items():
        for (name, n), wanted in zip(levels, data["all." + sampler]):
            sigmas, draw = data[f"sigmas.{name}.{n}"].astype(np.float64), Draw()
            report(f"{sampler} {name} {n}", walk(x0, draw() * sigmas[0], sigmas, draw), wanted, 1e-6)
    for (name, n), wanted in zip(levels, data["all.LCM"]):
        sigmas, draw = schedule(name, n, fifty).astype(np.float32).astype(np.float64), Draw()
        report(f"LCM {name} {n}", own.lcm(eps, draw() * sigmas[0], sigmas, draw, ALPHAS), wanted, 1e-5)
    for n in STEPS:
        times = np.minimum(np.arange(0, 1000, 1000 // n) + 1, 999)
        for eta in (0.0, 0.7):
            draw = Draw()
            made = own.ddim_cfgpp(pair, draw(), times, ALPHAS, draw, eta)
            report(f"DDIM CFG++ {n} eta {eta}", made, data[f"DDIM CFG++.{n}.{eta}"], 1e-6)
    report("DDPM is Euler a of k-diffusion", data["all.DDPM"], data["all.Euler a"], 2e-6)
    first = slice(0, None, len(STEPS))
    report("Restart below 20 steps is Heun of k-diffusion", data["all.Restart"][first], data["all.Heun"][first], 2e-6)


# diffusers, in its variance preserving x = y / sqrt(1 + sigma^2).

def with_noise(module, draw, run):
    kept, module.randn_tensor = module.randn_tensor, lambda *_, **__: torch.from_numpy(draw())
    try:
        return run()
    finally:
        module.randn_tensor = kept


def walk_times(scheduler, times, x, model):
    for time in times:
        out = torch.from_numpy(model(x.numpy(), int(time)))
        x = scheduler.step(out, time, x, return_dict=False)[0]
    return x.numpy()


def betas():
    return dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def check_lcm():
    for times in ([999, 739, 499, 259, 19], list(range(999, 0, -60))):
        scheduler, draw, same = scheduling_lcm.LCMScheduler(**betas()), Draw(3), Draw(3)
        scheduler.set_timesteps(timesteps=times)
        scheduler.alphas_cumprod = torch.from_numpy(ALPHAS)
        start = draw()
        same()
        sigmas = np.append(np.sqrt((1 - ALPHAS) / ALPHAS)[times], 0.0)
        made = own.lcm(eps, start * np.sqrt(1 + sigmas[0] ** 2), sigmas, draw, ALPHAS)
        wanted = with_noise(scheduling_lcm, same, lambda: walk_times(
            scheduler, scheduler.timesteps, torch.from_numpy(start), eps))
        # diffusers weighs the scaled x with c_skip, at most 7e-6 of it.
        report(f"LCM against diffusers, {len(times)} steps", made, wanted, 2e-5)


def check_ddpm():
    times = list(range(981, 0, -49))
    scheduler, draw, same = scheduling_ddpm.DDPMScheduler(**betas(), clip_sample=False), Draw(4), Draw(4)
    scheduler.set_timesteps(timesteps=times)
    scheduler.alphas_cumprod = torch.from_numpy(ALPHAS)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    start = draw()
    same()
    sigmas = np.append(np.sqrt((1 - ALPHAS) / ALPHAS)[times], 0.0)
    by_level = dict(zip(sigmas, times))
    made = own.ddpm(lambda x, s: x - s * eps(x / np.sqrt(1 + s * s), by_level[s]), start * np.sqrt(1 + sigmas[0] ** 2),
                    sigmas, draw)
    wanted = with_noise(scheduling_ddpm, same, lambda: walk_times(
        scheduler, scheduler.timesteps, torch.from_numpy(start), eps))
    report("DDPM against diffusers", made, wanted, 1e-9)


def level_eps(x, sigma):
    """The slope of x0's model."""
    return own.descent(x0, x, sigma)


def check_ipndm():
    """diffusers steps to 0 with all four slopes too."""
    for n in STEPS:
        sigmas = np.append(np.geomspace(14.6, 0.03, n), 0.0)
        scheduler = diffusers.IPNDMScheduler()
        scheduler.set_timesteps(n)
        scheduler.betas = torch.from_numpy(sigmas / np.sqrt(1 + sigmas ** 2))
        scheduler.alphas = torch.from_numpy(1 / np.sqrt(1 + sigmas ** 2))
        start = Draw(5)() * sigmas[0]
        x = torch.from_numpy(start) * scheduler.alphas[0]
        for i, time in enumerate(scheduler.timesteps):
            slope = torch.from_numpy(level_eps((x / scheduler.alphas[i]).numpy(), sigmas[i]))
            out = (slope - x * scheduler.betas[i]) / scheduler.alphas[i]
            x = scheduler.step(out, time, x, return_dict=False)[0]
        report(f"IPNDM against diffusers, {n} steps", own.ipndm(x0, start, sigmas), x.numpy(), 1e-7)


def check_deis():
    """diffusers' DEIS has polynomials in log sigma where Forge has them in time; all else is the same."""
    for n in STEPS:
        sigmas = np.geomspace(14.6, 0.03, n + 1)
        scheduler = diffusers.DEISMultistepScheduler(**betas(), solver_order=3, lower_order_final=False)
        scheduler.set_timesteps(n)
        scheduler.sigmas = torch.from_numpy(sigmas)
        start = Draw(6)() * sigmas[0]
        x = torch.from_numpy(start) / np.sqrt(1 + sigmas[0] ** 2)
        for i, time in enumerate(scheduler.timesteps):
            out = torch.from_numpy(level_eps(x.numpy() * np.sqrt(1 + sigmas[i] ** 2), sigmas[i]))
            x = scheduler.step(out, time, x, return_dict=False)[0]
        wanted = x.numpy() * np.sqrt(1 + sigmas[-1] ** 2)
        report(f"DEIS in log sigma against diffusers, {n} steps", own.deis(x0, start, sigmas, clock=np.log), wanted, 1e-8)


def check_ddim():
    """With equal guided and unguided noise DDIM CFG++ is DDIM."""
    times = np.arange(1, 1000, 50)
    scheduler = diffusers.DDIMScheduler(**betas(), clip_sample=False, steps_offset=1)
    scheduler.set_timesteps(20)
    scheduler.alphas_cumprod = torch.from_numpy(ALPHAS)
    for eta in (0.0, 0.7):
        draw, same = Draw(7), Draw(7)
        start = draw()
        x = torch.from_numpy(same())
        for time in times[:0:-1]:
            out = torch.from_numpy(eps(x.numpy(), int(time)))
            x = scheduler.step(out, int(time), x, eta=eta, variance_noise=torch.from_numpy(same()) if eta else None,
                               return_dict=False)[0]
        made = own.ddim_cfgpp(lambda x, t: (eps(x, t),) * 2, start, times, ALPHAS, draw, eta)
        report(f"DDIM CFG++ without guidance against diffusers' DDIM, eta {eta}", made, x.numpy(), 1e-9)


# The differential equation itself: how fast the error falls when the steps are doubled. The first step is always of
# order 1 and leaves an error of order 2.

def check_order():
    start, ends = Draw(8)() * 5.0, (5.0, 0.5)
    exact = scipy.integrate.solve_ivp(lambda s, x: level_eps(x, s), ends, start.ravel(), rtol=1e-12, atol=1e-12,
                                      method="DOP853").y[:, -1].reshape(start.shape)
    plain = own.forge_departures
    cases = {"HeunPP2": (own.heun_pp2, 0.9, True), "IPNDM, even steps": (own.ipndm, 1.9, False),
             "IPNDM, growing steps": (own.ipndm, 0.9, True), "IPNDM_V without Forge's departures": (own.ipndm_v, 1.9, True),
             "DEIS": (own.deis, 1.9, True)}
    own.forge_departures = lambda *steps: np.zeros(len(steps))
    for what, (walk, wanted, growing) in cases.items():
        errors = []
        for n in (80, 160):
            levels = np.geomspace(*ends, n + 1) if growing else np.linspace(*ends, n + 1)
            errors.append(np.abs(walk(x0, start, levels) - exact).max())
        order = np.log2(errors[0] / errors[1])
        print(f"{'ok ' if order >= wanted else 'BAD'} order {order:.2f}, at least {wanted}  {what}")
        if not order >= wanted:
            failed.append(what)
    own.forge_departures = plain


def check_unipc():
    """Predictor and the paper's corrector are of one order more than the predictor alone. As the authors have the
    corrector, of the first only, which is why it is not compared there."""
    start, kept = Draw(9)(), own.corrector_weights
    own.corrector_weights = lambda nodes, h: own.moment_integrals(len(nodes) + 1, h) @ own.taylor(np.append(nodes, 1.0))

    def walk(steps, order):
        return own.unipc_vary(lambda x, _: 0.3 * np.tanh(x) + 0.1 * x, start, own.unipc_times(steps, 0.6, "logSNR", ALPHAS), ALPHAS, order)
    exact = walk(4000, 2)
    for order in (1, 2):
        errors = [np.abs(walk(steps, order) - exact).max() for steps in (80, 160)]
        found, wanted = np.log2(errors[0] / errors[1]), order + 0.9
        print(f"{'ok ' if found >= wanted else 'BAD'} order {found:.2f}, at least {wanted}  UniPC's vary_coeff as in the paper, order {order}")
        if not found >= wanted:
            failed.append(f"UniPC's vary_coeff {order}")
    own.corrector_weights = kept


def main():
    for check in (check_lcm, check_ddpm, check_ipndm, check_deis, check_ddim, check_unipc, check_order, check_data):
        check()
    print("failed:" if failed else "all within their limits", *failed, sep="\n  " if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
