#pragma once

#include "core/diffusion/sampling/sampler.h"

#include <memory>
#include <string_view>
#include <vector>

namespace sg::sampling {

/// What samplers that walk the network's own levels are made of.
struct TimestepWalk {
    std::vector<int> grid;      ///< rising; the walk begins at the last
    std::vector<float> alphas;  ///< products of alphas, of every level
    bool beginsWithPicture = false;
    SamplerOptions options;
};

/// "DDIM", "DDIM CFG++", "PLMS", "UniPC", or null. As in A1111 the first three make one update less than the grid has
/// entries and end at its lowest level.
/// Source  Song et al. 2020, arXiv:2010.02502, equation 12; Chung et al. 2024, arXiv:2406.08070; Liu et al. 2022,
/// arXiv:2202.09778; Zhao et al. 2023, arXiv:2302.04867.
std::unique_ptr<Sampler> makeTimestepSampler(std::string_view name, TimestepWalk walk);

std::unique_ptr<Sampler> makeUniPc(TimestepWalk walk);

}  // namespace sg::sampling
