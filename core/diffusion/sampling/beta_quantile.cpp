#include "core/diffusion/sampling/beta_quantile.h"

#include <cmath>

namespace sg::sampling {
namespace {

double notZero(double value)
{
    constexpr double kTiny = 1e-300;
    return std::abs(value) < kTiny ? kTiny : value;
}

/// The continued fraction of the incomplete beta function; converges for x below (a + 1) / (a + b + 2).
double fraction(double x, double a, double b)
{
    constexpr int kMostTerms = 300;
    constexpr double kEnough = 1e-15;
    double c = 1, d = 1 / notZero(1 - (a + b) * x / (a + 1)), result = d;
    for (int m = 1; m < kMostTerms; ++m) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 / notZero(1 + even * d);
        c = notZero(1 + even / c);
        result *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / notZero(1 + odd * d);
        c = notZero(1 + odd / c);
        result *= d * c;
        if (std::abs(d * c - 1) < kEnough) break;
    }
    return result;
}

double massBelow(double x, double a, double b)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double log = std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
    if (x < (a + 1) / (a + b + 2)) return std::exp(log) * fraction(x, a, b) / a;
    return 1 - std::exp(log) * fraction(1 - x, b, a) / b;
}

}  // namespace

double betaQuantile(double share, double alpha, double beta)
{
    if (share <= 0) return 0;
    if (share >= 1) return 1;
    double low = 0, high = 1;
    constexpr int kHalvings = 100;
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = 0.5 * (low + high);
        (massBelow(middle, alpha, beta) < share ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

}  // namespace sg::sampling
