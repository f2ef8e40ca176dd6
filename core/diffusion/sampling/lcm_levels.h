#pragma once

#include "core/diffusion/sampling/discrete_schedule.h"
#include "core/diffusion/sampling/sampler.h"

#include <vector>

namespace sg::sampling {

/// The fifty levels that a latent consistency model was distilled at: 19, 39 … 999, and the network read at them.
/// Source  Luo et al. 2023, arXiv:2310.04378; A1111's sampler "LCM".
class LcmLevels {
public:
    explicit LcmLevels(const DiscreteSchedule &levels);

    const std::vector<float> &sigmas() const { return m_sigmas; }
    /// The number of the nearest level, counted as the network counts (19, 39 …).
    int nearest(float sigma) const;
    torch::Tensor x0(const Denoiser &model, const torch::Tensor &x, float sigma) const;

    static constexpr int kStride = 20;

private:
    std::vector<float> m_sigmas;
    std::vector<float> m_logs;
};

}  // namespace sg::sampling
