"""Second implementations, in double precision, of schedules that k-diffusion does not have."""
import math

import numpy
from scipy import stats


def beta_schedule(n, low, high, alpha=0.6, beta=0.6):
    return [low + (high - low) * stats.beta.ppf(1 - u, alpha, beta) for u in numpy.linspace(0, 1, n)] + [0.0]


def kl_optimal(n, low, high):
    return [math.tan(i / n * math.atan(low) + (1 - i / n) * math.atan(high)) for i in range(n + 1)]


def align_your_steps(n, table):
    """The table's logarithms, straight lines between them, n points from the low end."""
    rising = numpy.log(table[::-1])
    return list(numpy.exp(numpy.interp(numpy.linspace(0, 1, n), numpy.linspace(0, 1, len(table)), rising))[::-1]) + [0.0]
