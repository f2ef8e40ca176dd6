#pragma once

#include "core/diffusion/sampling/discrete_schedule.h"
#include "core/diffusion/sampling/lcm_levels.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/sampler.h"
#include "core/diffusion/sampling/schedules.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sg::sampling {

/// What decides a walk besides the network and the noise.
struct PlanRequest {
    std::string sampler;   ///< a name of core/params/samplers.h
    std::string schedule;  ///< likewise; Automatic is resolved here
    int steps = 20;
    std::optional<double> strength = {};  ///< of a walk that begins with a picture: denoising strength
    bool exactSteps = false;              ///< make just `steps` steps of a longer schedule (hires fix always does)
    double extraNoise = 0;                ///< of a walk that begins with a picture
    bool discardNextToLast = false;       ///< for all samplers; some do it always
    bool sgmNoise = false;                ///< start from noise * sqrt(1 + sigma^2)
    SamplerOptions sampling = {};
    ScheduleOptions schedules = {};
};

/// One walk down a schedule, or down its tail: which sampler, from where, on which levels. Immutable, so that a parked
/// run needs the request, the state and the noise source only. Errors  the constructor throws Failure InvalidArgument
/// for unknown names.
class SamplingPlan {
public:
    SamplingPlan(const PlanRequest &request, const DiscreteSchedule &levels);

    /// Strength 0: nothing to walk, the picture stays.
    bool keepsStart() const { return m_keepsStart; }
    /// Steps that a run makes.
    std::int64_t updates() const { return m_keepsStart ? 0 : m_sampler->steps(); }
    /// False: the sampler walks the network's own levels, and masks belong on the network's input.
    bool walksSigmas() const { return m_walksSigmas; }
    const Sampler &sampler() const { return *m_sampler; }
    /// What the walk begins with. Shapes  noise and latent [B, C, H, W]; latent undefined: from noise alone.
    SamplerState begin(const torch::Tensor &noise, const torch::Tensor &latent = {}) const;
    /// Opens the Brownian path that SDE samplers draw from: over the whole schedule, also of a tail.
    void prepare(NoiseSource &noise) const;
    /// The levels that are walked; empty for timestep samplers.
    const std::vector<float> &sigmas() const { return m_sigmas; }

private:
    void planSigmas(const PlanRequest &request, const DiscreteSchedule &levels);
    void planTimesteps(const PlanRequest &request, const DiscreteSchedule &levels);
    std::unique_ptr<Sampler> sigmaSampler(const PlanRequest &request, int steps, const DiscreteSchedule &levels);

    std::unique_ptr<LcmLevels> m_lcm;
    std::unique_ptr<Sampler> m_sampler;
    std::vector<float> m_all, m_sigmas;
    bool m_walksSigmas = true;
    bool m_keepsStart = false;
    bool m_brownian = false;
    bool m_sgmNoise = false;
    double m_extraNoise = 0;
    float m_startAlpha = 1;  // of timestep samplers: how much of the picture is left under the noise
};

}  // namespace sg::sampling
