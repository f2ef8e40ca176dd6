#pragma once

#include "core/diffusion/sampling/discrete_schedule.h"

#include <string_view>
#include <vector>

namespace sg::sampling {

class LcmLevels;

/// A1111's settings of schedules. 0 of a number: the network's or the schedule's own.
struct ScheduleOptions {
    double sigmaMin = 0;
    double sigmaMax = 0;
    double rho = 0;
    double betaAlpha = 0.6;
    double betaBeta = 0.6;
    bool sdxl = false;               ///< which of the tables Align Your Steps takes
    const LcmLevels *lcm = nullptr;  ///< of the sampler LCM: its levels instead of the network's
};

/// The sigmas that a sampler walks down: `steps` falling levels and a final 0; KL Optimal ends at the lowest level
/// instead, and DDIM may have more than asked. `schedule` is a name of core/params/samplers.h with Automatic already
/// resolved; "automatic" and "uniform" are the same walk. Errors  Failure InvalidArgument for an unknown name. Source
/// Karras et al. 2022, equation 5 (karras); Sabour et al. 2024, arXiv:2404.14507 (Align Your Steps, KL Optimal); Lee et
/// al. 2024, arXiv:2407.12173 (beta); k-diffusion, sampling.py (get_sigmas_*). Computed as torch does, to the last bit
/// where noise depends on it.
std::vector<float> sigmasFor(std::string_view schedule, int steps, const DiscreteSchedule &levels,
                             const ScheduleOptions &options = {});

/// The levels that a timestep sampler (DDIM) visits, rising. 20 steps: 1, 51 … 951. As in A1111 a number of steps that
/// does not divide 1000 gives more entries, and one entry means no update at all.
std::vector<int> timestepsFor(int steps, const DiscreteSchedule &levels);

}  // namespace sg::sampling
