"""Eight samplers a second time, in float64 with numpy, from their papers and from what A1111 and Forge do.

Written without sight of core/diffusion/sampling, by another hand; make_all_samplers.py takes the expected latents of
Restart, LCM, DDIM CFG++, HeunPP2, IPNDM, IPNDM_V, DEIS and DDPM from here. check_samplers.py holds these functions
against diffusers, k-diffusion and exact solutions of the differential equation.

A level model is x0(x, sigma), an eps model eps(x, time); levels go down and may end in 0; draw() is the next noise.
"""
import numpy as np


def descent(x0, x, sigma):
    """dx/dsigma of the probability flow."""
    return (x - x0(x, sigma)) / sigma


# Linear multistep: the next x is x plus the integral of a polynomial through the last slopes.

def moment_weights(nodes, start, end):
    """Weights that integrate every polynomial through the nodes exactly from start to end."""
    scale = end - start
    u = (np.asarray(nodes, np.float64) - start) / scale
    powers = np.arange(len(u))
    return np.linalg.solve(u[None, :] ** powers[:, None], scale / (powers + 1.0))


def multistep(x0, x, levels, order, weights):
    """weights(i, k) are those of the slopes at levels i, i-1 ... i-k+1 for the step from level i."""
    slopes = []
    for i in range(len(levels) - 1):
        slopes.insert(0, descent(x0, x, levels[i]))
        slopes = slopes[:order]
        x = x + sum(w * d for w, d in zip(weights(i, len(slopes)), slopes))
    return x


def ipndm(x0, x, levels, draw=None):
    """Zhang & Chen 2022 (2204.13902): Adams-Bashforth of order 4 as if all steps were alike, lower orders to begin
    with. Forge steps to 0 in the same way, so the last x is not the last x0."""
    return multistep(x0, x, levels, 4,
                     lambda i, k: moment_weights(-np.arange(k), 0, 1) * (levels[i + 1] - levels[i]))


def ipndm_v(x0, x, levels, draw=None):
    """The same with the true distances. Forge's weights differ from the exact ones in two places, so ours must."""
    def weights(i, k):
        exact = moment_weights(levels[i - k + 1:i + 1][::-1], levels[i], levels[i + 1])
        return exact + forge_departures(*np.diff(levels[i - k + 1:i + 2])[::-1])
    return multistep(x0, x, levels, 4, weights)


def forge_departures(h, *older):
    """What Forge's weights have beyond the exact ones; h is the coming step, then the past ones, newest first.

    In Newton's form the second divided difference is weighed with h (h (h + h1) - h^2 / 3) / 2; Forge has
    h1 (h1 + h2) for h (h + h1). With four slopes its weight of the third is larger by h^3 (h + 2 h1) / 6, and in it
    the oldest slope gets h1 / h2 where h2 / h3 is due.
    """
    extra = np.zeros(len(older) + 1)
    if len(older) >= 2:
        h1, h2 = older[:2]
        second = divided_difference(h1, h2)
        extra[:3] += second * h * (h1 * (h1 + h2) - h * (h + h1)) / 2
    if len(older) >= 3:
        h3 = older[2]
        third = divided_difference(h1, h2, h3)
        product = np.polynomial.Polynomial.fromroots([0.0, -h1, -h1 - h2])
        exact = product.integ()(h) - product.integ()(0.0)
        more = h ** 3 * (h + 2 * h1) / 6
        extra += third * more
        extra[3] += third[3] * (exact + more) * (h1 * h3 / h2 ** 2 - 1)
    return extra


def divided_difference(*steps):
    """The weights of the values in their divided difference, newest first."""
    nodes = -np.cumsum((0.0,) + steps)
    return np.array([1 / np.prod([a - b for b in nodes if b != a]) for a in nodes])


def forge_time(sigma):
    """The time of a variance preserving process whose levels are 0.002 at time 0.001 and 80 at time 1."""
    epsilon, low, high = 0.001, np.log1p(0.002 ** 2), np.log1p(80.0 ** 2)
    # log(1 + sigma^2) = slope t^2 / 2 + base t goes through both.
    slope = 2 * (high - low / epsilon) / (1 - epsilon)
    base = high - slope / 2
    return (np.sqrt(base ** 2 + 2 * slope * np.log1p(np.square(sigma))) - base) / slope


def deis(x0, x, levels, draw=None, clock=forge_time):
    """tAB-DEIS of order 3 (2204.13902) as Forge has it: the polynomials run over forge_time whatever the model's own
    levels are, and a step to 0 is Euler's. Forge sums 10,000 rectangles where this takes the integral: up to 4e-5 of
    the largest value on the schedules compared."""
    points, shares = np.polynomial.legendre.leggauss(120)

    def weights(i, k):
        start, end = levels[i], levels[i + 1]
        if end == 0 or k == 1:
            return [end - start] + [0.0] * (k - 1)
        half = (np.log(end) - np.log(start)) / 2
        sigma = np.sqrt(start * end) * np.exp(half * points)
        nodes = [clock(levels[i - j]) for j in range(k)]
        found = []
        for j in range(k):
            others = nodes[:j] + nodes[j + 1:]
            basis = np.prod([(clock(sigma) - other) / (nodes[j] - other) for other in others], axis=0)
            found.append(np.sum(shares * half * sigma * basis))
        return found
    return multistep(x0, x, levels, 3, weights)


# One step at a time.

def heun_pp2(x0, x, levels, draw=None):
    """Heun++ as in Forge: Euler's steps look up to two levels ahead, and each slope found there takes part with its
    level over (slopes * first level); the slope at hand has the rest. The last step is Euler's."""
    for i in range(len(levels) - 1):
        ahead = levels[i:i + 3] if levels[i + 1] != levels[-1] else levels[i:i + 1]
        ahead = ahead[:-1] if len(ahead) == 3 and ahead[-1] == levels[-1] else ahead
        here = slope = descent(x0, x, levels[i])
        probe, mean = x, here
        for before, level in zip(ahead, ahead[1:]):
            probe = probe + (level - before) * slope
            slope = descent(x0, probe, level)
            mean = mean + level / (len(ahead) * levels[0]) * (slope - here)
        x = x + (levels[i + 1] - levels[i]) * mean
    return x


def ddpm(x0, x, levels, draw):
    """Ho et al. 2020: the posterior of the next x, by Bayes' rule from x0 with the next level's spread and x with the
    spread that lies between."""
    for level, following in zip(levels, levels[1:]):
        clean = x0(x, level)
        if following == 0:
            x = clean
            continue
        prior, likelihood = 1 / following ** 2, 1 / (level ** 2 - following ** 2)
        x = (prior * clean + likelihood * x) / (prior + likelihood)
        x = x + draw() / np.sqrt(prior + likelihood)
    return x


def karras(n, low, high):
    root = np.linspace(high ** (1 / 7), low ** (1 / 7), n)
    return root ** 7


def restart_walks(levels):
    """The descents of Restart (Xu et al. 2023) with A1111's choice: with 20 or more steps the levels are Karras's
    with the given ends, without the steps that the restarts take; one descent of 9 steps, or from 36 steps on two of
    a quarter, goes again from the level nearest 2 to the one nearest 0.1."""
    steps = len(levels) - 1
    if steps < 20:
        return [levels]
    again, times = (steps // 4, 2) if steps >= 36 else (9, 1)
    levels = np.append(karras(steps - again * times, levels[-2], levels[0]), 0.0)
    bottom, top = (int(np.argmin(np.abs(levels - goal))) for goal in (0.1, 2.0))
    if top >= bottom or bottom == 0:
        return [levels]
    climb = karras(again + 1, levels[bottom], levels[top])
    return [levels[:bottom + 1]] + [climb] * times + [levels[bottom:]]


def restart(x0, x, levels, draw):
    reached = None
    for walk in restart_walks(np.asarray(levels, np.float64)):
        if len(walk) < 2:
            continue
        if reached is not None and walk[0] > reached:
            x = x + draw() * np.sqrt(walk[0] ** 2 - reached ** 2)
        for level, following in zip(walk, walk[1:]):
            slope = descent(x0, x, level)
            landed = x + (following - level) * slope
            if following > 0:
                landed = x + (following - level) * (slope + descent(x0, landed, following)) / 2
            x = landed
        reached = walk[-1]
    return x


# Networks with times of their own.

def lcm_levels(alphas):
    """The fifty levels that a consistency model was distilled on: times 19, 39 ... 999."""
    alphas = np.asarray(alphas, np.float64)[19::20]
    return np.sqrt((1 - alphas) / alphas)


def nearest_time(level, alphas):
    """By distance of logarithms in float32 and the lower of two that are equal, as A1111 finds it: Uniform and Normal
    with an odd number of steps, SGM Uniform with an even one, have a level half way between two of the fifty."""
    distance = np.log(lcm_levels(alphas)).astype(np.float32) - np.float32(np.log(level))
    return 20 * int(np.argmin(np.abs(distance))) + 19


def lcm(eps, x, levels, draw, alphas):
    """Multistep consistency sampling (Song et al. 2023, Luo et al. 2023): x0, noised again to the next level. The
    network is asked at the nearest of its fifty times, and A1111 weighs the unscaled x with c_skip."""
    for level, following in zip(levels, levels[1:]):
        time = nearest_time(level, alphas)
        clean = x - level * eps(x / np.sqrt(1 + level ** 2), time)
        far = 0.5 ** 2 + (10.0 * time) ** 2
        x = 10.0 * time / np.sqrt(far) * clean + 0.5 ** 2 / far * x
        if following > 0:
            x = x + following * draw()
    return x


def ddim_cfgpp(pair, x, times, alphas, draw, eta):
    """Chung et al. 2024 on DDIM: pair(x, time) gives the guided and the unguided noise; the first finds x0, the
    second leads on. times go up; the last update ends at the first of them."""
    alphas = np.asarray(alphas, np.float64)
    for index in range(len(times) - 1, 0, -1):
        kept, kept_next = alphas[times[index]], alphas[times[index - 1]]
        guided, unguided = pair(x, times[index])
        clean = (x - np.sqrt(1 - kept) * guided) / np.sqrt(kept)
        spread = eta * np.sqrt((1 - kept_next) / (1 - kept)) * np.sqrt(1 - kept / kept_next)
        x = np.sqrt(kept_next) * clean + np.sqrt(1 - kept_next - spread ** 2) * unguided + spread * draw()
    return x


# UniPC with varying coefficients.

def unipc_times(count, start, skip, alphas):
    """count + 1 times from start down to 0.001: even in time, in its root, or in lambda = log(alpha / sigma)."""
    if skip == "time_quadratic":
        return np.linspace(np.sqrt(start), np.sqrt(0.001), count + 1) ** 2
    if skip == "logSNR":
        known = np.arange(1, 1001) / 1000
        logs = 0.5 * np.log(np.asarray(alphas, np.float64))
        ends = vp_lambda(np.interp([start, 0.001], known, logs))
        wanted = np.linspace(*ends, count + 1)
        # log alpha = log sigmoid(2 lambda) / 2; the table falls with time.
        return np.interp(-0.5 * np.log1p(np.exp(-2 * wanted)), logs[::-1], known[::-1])
    return np.linspace(start, 0.001, count + 1)


def vp_lambda(log_alpha):
    return log_alpha - 0.5 * np.log(-np.expm1(2 * log_alpha))


def unipc_vary(eps, x, times, alphas, order, lower_final=True):
    """Zhao et al. 2023 (2302.04867), appendix on varying coefficients: between two levels the noise-free picture is a
    polynomial in lambda through the last ones known, integrated exactly. The corrector's polynomial would also go
    through the newest one; the authors' program, and so A1111, does otherwise, see corrector_weights."""
    logs = np.interp(times, np.arange(1, 1001) / 1000, 0.5 * np.log(np.asarray(alphas, np.float64)))
    alpha, sigma, lam = np.exp(logs), np.sqrt(-np.expm1(2 * logs)), vp_lambda(logs)
    steps = len(times) - 1
    known, arrived = [], x  # the clean pictures found, newest first; x of the last level as corrected
    for i in range(steps):
        clean = (x - sigma[i] * eps(x, (times[i] - 0.001) * 1000)) / alpha[i]
        if i:
            arrived = vary_move(i - 1, arrived, known, clean, alpha, sigma, lam, used)
            x = arrived
        known.insert(0, clean)
        used = i + 1 if i + 1 < order else min(order, steps - i) if lower_final else order
        x = vary_move(i, arrived, known, None, alpha, sigma, lam, used)
    return x


def vary_move(i, x, known, newest, alpha, sigma, lam, order):
    """From level i to i + 1. With `newest`, the picture found there, corrects."""
    h = lam[i + 1] - lam[i]
    nodes = (lam[i - np.arange(order)] - lam[i]) / h
    if newest is None:
        weights = moment_integrals(order, h) @ taylor(nodes)
    else:
        weights = corrector_weights(nodes, h)
    pictures = known[:order] + ([newest] if newest is not None else [])
    return sigma[i + 1] / sigma[i] * x + alpha[i + 1] * sum(w * p for w, p in zip(weights, pictures))


def taylor(nodes):
    """Row k: the weights of the values in the k-th derivative, at 0, of the polynomial through the nodes."""
    powers = np.arange(len(nodes))
    factorials = np.cumprod(np.maximum(powers, 1)).astype(float)
    return np.linalg.inv(nodes[:, None] ** powers) * factorials[:, None]


def moment_integrals(count, h):
    """h times the integrals of exp(h (u - 1)) u^k / k! over 0..1, by quadrature."""
    points, shares = np.polynomial.legendre.leggauss(60)
    u, shares = (points + 1) / 2, shares / 2
    found, term = [], np.ones_like(u)
    for k in range(count):
        found.append(h * np.sum(shares * np.exp(h * (u - 1)) * term))
        term = term * u / (k + 1)
    return np.array(found)


def corrector_weights(nodes, h):
    """With p nodes and the newest value: the derivatives below the p-th are those of the polynomial through all, but
    without the newest value's part in them; the p-th is left out, and in its place the newest value's difference
    counts as much as it has in the derivative before."""
    order = len(nodes)
    derivatives, integrals = taylor(np.append(nodes, 1.0)), moment_integrals(order + 1, h)
    weights = np.zeros(order + 1)
    weights[0] += integrals[0]
    for k in range(1, order):
        row = derivatives[k].copy()
        # What a difference to the value at 0 has taken from that value goes with it.
        row[0] += row[-1]
        row[-1] = 0
        weights += integrals[k] * row
    share = derivatives[max(order - 1, 1)][-1]
    weights[-1] += integrals[order] * share
    weights[0] -= integrals[order] * share
    return weights
