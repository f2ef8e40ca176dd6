#pragma once

#include "core/diffusion/sampling/discrete_schedule.h"

#include <string_view>
#include <vector>

namespace sg::sampling {

/// The sigmas that a sampler walks down: `steps` falling levels and a final 0.
/// `schedule` is a name of core/params/samplers.h with Automatic already resolved; "automatic" and "uniform" are the
/// same walk. Errors  Failure InvalidArgument for an unknown name. Source  Karras et al. 2022, equation 5 (karras);
/// k-diffusion, sampling.py (get_sigmas_*).
std::vector<float> sigmasFor(std::string_view schedule, int steps, const DiscreteSchedule &levels);

/// The levels that a timestep sampler (DDIM) visits, rising. 20 steps: 1, 51 … 951. As in A1111 a number of steps that
/// does not divide 1000 gives more entries, and one entry means no update at all.
std::vector<int> timestepsFor(int steps, const DiscreteSchedule &levels);

}  // namespace sg::sampling
