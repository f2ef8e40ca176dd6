#include "core/diffusion/sampling/lcm_levels.h"

#include <cmath>

namespace sg::sampling {

LcmLevels::LcmLevels(const DiscreteSchedule &levels)
{
    for (std::size_t t = kStride - 1; t < levels.size(); t += kStride)
        m_sigmas.push_back(levels.sigma(t));
}

int LcmLevels::nearest(float sigma) const
{
    std::size_t best = 0;
    for (std::size_t i = 1; i < m_sigmas.size(); ++i)
        if (std::abs(std::log(sigma / m_sigmas[i])) < std::abs(std::log(sigma / m_sigmas[best]))) best = i;
    return static_cast<int>(best) * kStride + kStride - 1;
}

torch::Tensor LcmLevels::x0(const Denoiser &model, const torch::Tensor &x, float sigma) const
{
    // The weights of the consistency function; the network's own time counts ten times there.
    constexpr double kData = 0.5, kTimeScale = 10;
    const double t = kTimeScale * nearest(sigma);
    const double keep = kData * kData / (t * t + kData * kData);
    const double take = t / std::sqrt(t * t + kData * kData);
    const torch::Tensor eps = model.eps(x / std::sqrt(sigma * sigma + 1), static_cast<float>(nearest(sigma)));
    const torch::Tensor denoised = (x - eps * sigma) * take + x * keep;
    return model.kept ? model.kept(denoised) : denoised;
}

}  // namespace sg::sampling
