#pragma once

#include "core/diffusion/sampling/sampler.h"

#include <string_view>
#include <vector>

namespace sg::sampling {

class LcmLevels;

/// What the steps of samplers that walk sigmas share.
struct SigmaWalk {
    std::vector<float> sigmas;  ///< falling; as many steps as there are gaps
    SamplerOptions options;
    const LcmLevels *lcm = nullptr;

    float at(const SamplerState &state) const { return sigmas[static_cast<std::size_t>(state.step)]; }
    float next(const SamplerState &state) const { return sigmas[static_cast<std::size_t>(state.step) + 1]; }
};

/// One step: state.x moves from sigma i to i + 1, the x0 that was found is returned.
using SigmaStep = torch::Tensor(const SigmaWalk &, SamplerState &, const Denoiser &, const SamplerNoise &);

/// The step of the sampler of this name, or null. A file each for its kind.
SigmaStep *findOdeStep(std::string_view name);
SigmaStep *findAncestralStep(std::string_view name);
SigmaStep *findSdeStep(std::string_view name);
SigmaStep *findMultistepStep(std::string_view name);

struct AncestralLevels {
    float down = 0;  ///< the level to step to
    float up = 0;    ///< the noise added there
};
AncestralLevels ancestralLevels(float from, float to, double eta);

/// The slope dx/dsigma that a guess of x0 means.
torch::Tensor slope(const torch::Tensor &x, const torch::Tensor &denoised, float sigma);

/// As torch computes them for a float tensor without dimensions, to the last bit: the places where Brownian motion is
/// asked for are rounded to six digits, and a neighbour there is another noise.
float exactLog(float value);
float exactExp(float value);

}  // namespace sg::sampling
