#pragma once

#include "core/diffusion/sampling/sampler.h"

#include <memory>

namespace sg::sampling {

/// Between which levels a DPM solver walks, and how often it may ask the network.
struct DpmRange {
    float sigmaMax = 0;
    float sigmaMin = 0;
    int calls = 20;
};

/// "DPM fast" and "DPM adaptive": both end at sigmaMin, without a last step to 0. DPM adaptive takes one step size for
/// all pictures of a batch, so that a batch is not its pictures one by one there; `calls` is only what it reports.
/// Source  Lu et al. 2022, arXiv:2206.00927; k-diffusion, sampling.py (step control).
std::unique_ptr<Sampler> makeDpmFast(const DpmRange &range, const SamplerOptions &options);
std::unique_ptr<Sampler> makeDpmAdaptive(const DpmRange &range, const SamplerOptions &options);

}  // namespace sg::sampling
