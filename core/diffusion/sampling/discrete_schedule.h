#pragma once

#include <c10/core/ScalarType.h>

#include <cstddef>
#include <vector>

namespace sg::sampling {

/// The noise levels that a network was trained on, and the map between a level's number t and its sigma.
/// Units   t 0…999, fractional between levels; sigma = sqrt((1 - abar) / abar), rising with t. Single precision, as
/// A1111 computes. Source  Karras et al. 2022, arXiv:2206.00364; k-diffusion, external.py (DiscreteSchedule).
class DiscreteSchedule {
public:
    /// Stable Diffusion's: betas from 0.00085 to 0.012, linear in their square roots.
    DiscreteSchedule();
    /// From the products of alphas that a checkpoint brings along; at least two, each in (0, 1), falling.
    explicit DiscreteSchedule(std::vector<float> alphasCumprod);

    /// The same levels, stretched until nothing is left of the picture at the last one (but for what single precision
    /// needs). Source  Lin et al. 2023, arXiv:2305.08891, algorithm 1; the last value is A1111's.
    DiscreteSchedule withZeroTerminalSnr() const;

    /// The same levels computed in half precision, as A1111 did before 1.7.
    DiscreteSchedule inHalfPrecision() const;

    std::size_t size() const { return m_sigmas.size(); }
    float alphaCumprod(std::size_t t) const { return m_alphasCumprod.at(t); }
    float sigma(std::size_t t) const { return m_sigmas.at(t); }
    const std::vector<float> &logSigmas() const { return m_logSigmas; }
    float sigmaMin() const { return m_sigmas.front(); }
    float sigmaMax() const { return m_sigmas.back(); }

    /// Linear in log sigma between the two levels around it; clamped to the table.
    float sigmaToT(float sigma) const;
    float tToSigma(float t) const;
    /// The level whose sigma is nearest.
    float nearest(float sigma) const;

private:
    void computeSigmas(at::ScalarType precision);

    std::vector<float> m_alphasCumprod;
    std::vector<float> m_sigmas;
    std::vector<float> m_logSigmas;
};

/// Whether a list of alphas can be a schedule.
bool isUsableSchedule(const std::vector<float> &alphasCumprod);

}  // namespace sg::sampling
