#include "core/diffusion/sampling/lcm_levels.h"

#include <ATen/ATen.h>

#include <cmath>

namespace sg::sampling {
namespace {

// Some schedules have a level half way between two of the fifty, where the last bit decides: with torch's logarithm, as
// A1111. Of two equally near the lower one is taken.
std::vector<float> logsOf(const std::vector<float> &sigmas)
{
    const torch::Tensor logs = at::tensor(sigmas).log();
    return {logs.const_data_ptr<float>(), logs.const_data_ptr<float>() + logs.numel()};
}

}  // namespace

LcmLevels::LcmLevels(const DiscreteSchedule &levels)
{
    for (std::size_t t = kStride - 1; t < levels.size(); t += kStride)
        m_sigmas.push_back(levels.sigma(t));
    m_logs = logsOf(m_sigmas);
}

int LcmLevels::nearest(float sigma) const
{
    const float wanted = logsOf({sigma})[0];
    std::size_t best = 0;
    for (std::size_t i = 1; i < m_logs.size(); ++i)
        if (std::abs(wanted - m_logs[i]) < std::abs(wanted - m_logs[best])) best = i;
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
    return model.kept ? model.kept(denoised, sigma) : denoised;
}

}  // namespace sg::sampling
