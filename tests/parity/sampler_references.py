"""Second implementations, in double precision and from the papers, of samplers that neither k-diffusion nor diffusers has.

Each walks from x at sigmas[0] and returns what is left at the end. `model(x, sigma)` returns x0, `noise()` the next block.
"""
import math

import numpy
from scipy import integrate, stats


def heun_pp2(model, x, sigmas, noise):
    """Heun++: derivatives at this level, the next and the one after it, weighted by their share of the first sigma."""
    first, last = sigmas[0], sigmas[-1]

    def slope(at, sigma):
        return (at - model(at, sigma)) / sigma

    for i in range(len(sigmas) - 1):
        here, there = sigmas[i], sigmas[i + 1]
        slopes, places = [slope(x, here)], [here]
        probe = x
        depth = 0 if there == last else (1 if sigmas[i + 2] == last else 2)
        for k in range(depth):
            probe = probe + slopes[-1] * (sigmas[i + k + 1] - sigmas[i + k])
            slopes.append(slope(probe, sigmas[i + k + 1]))
            places.append(sigmas[i + k + 1])
        shares = [place / ((depth + 1) * first) for place in places[1:]]
        shares.insert(0, 1 - sum(shares))
        x = x + sum(a * s for a, s in zip(shares, slopes)) * (there - here)
    return x


def adams_bashforth(model, x, sigmas, weights, order):
    past = []
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i])
        past = ([(x - denoised) / sigmas[i]] + past)[:order]
        if sigmas[i + 1] == 0:
            x = denoised
        else:
            x = x + sum(w * d for w, d in zip(weights(i, len(past)), past))
    return x


def ipndm(model, x, sigmas, noise):
    table = {1: [1], 2: [3 / 2, -1 / 2], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}
    return adams_bashforth(model, x, sigmas, lambda i, n: [(sigmas[i + 1] - sigmas[i]) * w for w in table[n]], 4)


def ipndm_v(model, x, sigmas, noise):
    """Divided differences of the slopes; the factors of the third and fourth are those of Forge, not of the textbook."""
    def weights(i, n):
        h = [sigmas[i + 1 - k] - sigmas[i - k] for k in range(n)]
        # Newton's form: slope + c1*[0,1] + ...; each divided difference written out over the slopes.
        out = numpy.zeros(n)
        out[0] = 1
        if n >= 2:
            out[:2] += h[0] / (2 * h[1]) * numpy.array([1, -1])
        if n >= 3:
            second = numpy.array([1, -1 - h[1] / h[2], h[1] / h[2]])
            out[:3] += (0.5 - h[0] ** 2 / (6 * h[1] * (h[1] + h[2]))) * second
        if n >= 4:
            a, b, c = h[1], h[2], h[3]
            s = h[0] + a
            q = (0.5 * (1 - h[0] / (3 * s)) + h[0] * (1 - h[0] / (2 * s)) / (6 * (s + b))) * h[0] * s * (s + b)
            q /= a * (a + b) * (a + b + c)
            u = a * (a + b) / (b * (b + c))
            out += q * numpy.array([1, -(1 + a / b + u), a / b + u + u * b / c, -u * a / b])
        return h[0] * out
    return adams_bashforth(model, x, sigmas, weights, 4)


def deis(model, x, sigmas, noise):
    """tAB-DEIS, order 3: polynomials in the time of a linear VP process with sigma(1) = 80 and sigma(0.001) = 0.002."""
    low, high = math.log1p(0.002 ** 2), math.log1p(80.0 ** 2)
    matrix = numpy.array([[0.5 * 0.001 ** 2, 0.001], [0.5, 1]])
    rise, start = numpy.linalg.solve(matrix, [low, high])

    def time(sigma):
        return max(numpy.roots([0.5 * rise, start, -math.log1p(sigma ** 2)]).real)

    def sigma_of(t):
        return math.sqrt(math.expm1(0.5 * rise * t * t + start * t))

    def speed(t):
        return (sigma_of(t) ** 2 + 1) * (rise * t + start) / (2 * sigma_of(t))

    def weights(i, n):
        if n == 1:
            return [sigmas[i + 1] - sigmas[i]]
        nodes = [time(sigmas[i - k]) for k in range(n)]
        polys = [numpy.poly1d(numpy.poly([b for b in nodes if b != a])) for a in nodes]
        return [integrate.quad(lambda t: speed(t) * p(t) / p(a), nodes[0], time(sigmas[i + 1]), epsabs=1e-13)[0]
                for p, a in zip(polys, nodes)]
    return adams_bashforth(model, x, sigmas, weights, 3)


def ddpm(model, x, sigmas, noise):
    """Ancestral sampling of DDPM: the posterior of x at the next level, given x and x0."""
    for here, there in zip(sigmas[:-1], sigmas[1:]):
        a, b = 1 / (1 + here ** 2), 1 / (1 + there ** 2)
        beta = 1 - a / b
        denoised = model(x, here)
        mean = (math.sqrt(b) * beta * denoised + math.sqrt(a / b) * (1 - b) * math.sqrt(a) * x) / (1 - a)
        if there == 0:
            x = mean
        else:
            x = (mean + math.sqrt(beta * (1 - b) / (1 - a)) * noise()) / math.sqrt(b)
    return x


def karras(n, low, high):
    return [(high ** (1 / 7) + (i / (n - 1) if n > 1 else 0) * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for i in range(n)]


def restart(model, x, sigmas, noise):
    n = len(sigmas) - 1
    times, length = (0, 0) if n < 20 else (1, 9) if n < 36 else (2, n // 4)
    path = list(sigmas)
    if times:
        base = karras(n - times * length, sigmas[-2], sigmas[0]) + [0.0]
        low = min(range(len(base)), key=lambda i: abs(base[i] - 0.1))
        high = min(range(len(base)), key=lambda i: abs(base[i] - 2))
        loop = karras(length + 1, base[low], base[high]) if high < low else []
        path = base[:low + 1] + loop * (times if high < low else 0) + base[low:]
        # base[low] is where each loop ends as well: the repeated value is a step of length 0 and is left out.
        path = [s for i, s in enumerate(path) if i == 0 or abs(s - path[i - 1]) > 1e-9]
    for here, there in zip(path[:-1], path[1:]):
        if there > here:
            x = x + math.sqrt(there ** 2 - here ** 2) * noise()
            continue
        slope = (x - model(x, here)) / here
        ahead = x + slope * (there - here)
        if there > 0:
            ahead = x + (slope + (ahead - model(ahead, there)) / there) / 2 * (there - here)
        x = ahead
    return x


def lcm(eps_model, x, sigmas, noise, table):
    """Multistep consistency sampling; `table` holds the sigmas of levels 19, 39 ... 999."""
    for here, there in zip(sigmas[:-1], sigmas[1:]):
        index = int(numpy.argmin(numpy.abs(numpy.log(table) - math.log(here))))
        t = 20 * index + 19
        guess = x - here * eps_model(x / math.sqrt(here ** 2 + 1), t)
        scaled = 10 * t
        x = (guess * scaled / math.hypot(scaled, 0.5)) + x * 0.25 / (scaled ** 2 + 0.25)
        if there > 0:
            x = x + there * noise()
    return x


def ddim_cfgpp(pair, x, grid, alphas, noise, eta):
    for t, after in zip(grid[:0:-1], grid[-2::-1]):
        a, b = alphas[t], alphas[after]
        guided, plain = pair(x, t)
        denoised = (x - math.sqrt(1 - a) * guided) / math.sqrt(a)
        spread = eta * math.sqrt((1 - b) / (1 - a) * (1 - a / b))
        x = math.sqrt(b) * denoised + math.sqrt(1 - b - spread ** 2) * plain + (spread * noise() if eta else 0)
    return x


def beta_schedule(n, low, high, alpha=0.6, beta=0.6):
    return [low + (high - low) * stats.beta.ppf(1 - u, alpha, beta) for u in numpy.linspace(0, 1, n)] + [0.0]


def kl_optimal(n, low, high):
    return [math.tan(i / n * math.atan(low) + (1 - i / n) * math.atan(high)) for i in range(n + 1)]


def align_your_steps(n, table):
    """The table's logarithms, straight lines between them, n points from the low end."""
    rising = numpy.log(table[::-1])
    return list(numpy.exp(numpy.interp(numpy.linspace(0, 1, n), numpy.linspace(0, 1, len(table)), rising))[::-1]) + [0.0]
