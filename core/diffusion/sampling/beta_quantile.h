#pragma once

namespace sg::sampling {

/// The place in 0…1 below which the beta distribution has this share of its mass. Source  Lentz's continued fraction of
/// the incomplete beta function (Abramowitz and Stegun 26.5.8), and bisection.
double betaQuantile(double share, double alpha, double beta);

}  // namespace sg::sampling
