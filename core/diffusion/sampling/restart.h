#pragma once

#include "core/diffusion/sampling/sampler.h"

#include <memory>
#include <vector>

namespace sg::sampling {

/// Heun's method that from 20 steps on goes back up from sigma 0.1 to 2 once, from 36 on twice, with fresh noise; the
/// levels are then Karras' whatever was chosen. Source  Xu et al. 2023, arXiv:2306.14878; A1111's sampler "Restart".
std::unique_ptr<Sampler> makeRestart(const std::vector<float> &sigmas);

}  // namespace sg::sampling
