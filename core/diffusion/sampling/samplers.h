#pragma once

#include <torch/types.h>

#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

namespace sg::sampling {

/// The clean picture that a network sees in `x` at this noise level. Shapes  [B, C, H, W] both.
using X0Predictor = std::function<torch::Tensor(const torch::Tensor &x, float sigma)>;

/// The noise that a network sees in `x` at level t. Shapes  [B, C, H, W] both.
using EpsPredictor = std::function<torch::Tensor(const torch::Tensor &x, int t)>;

/// Fresh noise of x's shape, on x's device.
using NextNoise = std::function<torch::Tensor()>;

struct SamplerStep {
    int index = 0;  ///< 0…count-1; the step that was just made
    int count = 0;
    float sigma = 0;                ///< the level that it left
    const torch::Tensor &denoised;  ///< the network's x0 of this step
};
using StepObserver = std::function<void(const SamplerStep &)>;

/// What every sampler is given besides its denoiser.
/// Errors  each throws Failure Cancelled at the first step after `stop` was requested.
struct SamplerContext {
    NextNoise noise;
    StepObserver observer;
    std::stop_token stop;
    double eta = -1;  ///< below 0: the sampler's own
};

/// Euler's method. Source  Karras et al. 2022, arXiv:2206.00364, algorithm 2 without churn.
torch::Tensor sampleEuler(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                          const SamplerContext &context);

/// Euler's method with the noise of an ancestral step added again (eta 1). Source  k-diffusion, sampling.py.
torch::Tensor sampleEulerAncestral(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                                   const SamplerContext &context);

/// Second-order multistep. Source  Lu et al. 2022, arXiv:2211.01095, algorithm 2; first order at both ends.
torch::Tensor sampleDpmpp2M(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                            const SamplerContext &context);

/// Over rising timesteps, from the last down to the first: one update less than there are entries, as in A1111 (eta 0).
/// Source  Song et al. 2020, arXiv:2010.02502, equation 12.
torch::Tensor sampleDdim(const EpsPredictor &model, torch::Tensor x, const std::vector<int> &timesteps,
                         const std::vector<float> &alphasCumprod, const SamplerContext &context);

/// The k-diffusion sampler of this name (core/params/samplers.h), or null.
using SigmaSampler = torch::Tensor(const X0Predictor &, torch::Tensor, const std::vector<float> &,
                                   const SamplerContext &);
SigmaSampler *findSigmaSampler(std::string_view name);

}  // namespace sg::sampling
