#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sg::sampling {

/// The clean picture that a network sees in `x` at this noise level. Shapes  [B, C, H, W] both.
using X0Predictor = std::function<torch::Tensor(const torch::Tensor &x, float sigma)>;

/// The noise that a network sees in `x` at level t, which may lie between two levels. Shapes  [B, C, H, W] both.
using EpsPredictor = std::function<torch::Tensor(const torch::Tensor &x, float t)>;

/// Guided noise at a share of the request's CFG scale, and beside it the unguided half of the same call.
struct NoiseGuess {
    torch::Tensor guided;
    torch::Tensor unwanted;
};
using EpsPairPredictor = std::function<NoiseGuess(const torch::Tensor &x, float t, double scaleShare)>;

/// A network as the samplers call it. A sampler uses one of the first three (LCM: eps).
struct Denoiser {
    X0Predictor x0;
    EpsPredictor eps;
    EpsPairPredictor epsPair;
    /// With a mask: a clean picture that LCM made of eps, with the start where nothing is drawn. May be empty.
    std::function<torch::Tensor(const torch::Tensor &denoised, float sigma)> kept = {};
};

/// Fresh noise of x's shape on x's device: a generator's next block, or the path of a Brownian motion between two
/// levels, divided by the root of their distance.
using NextNoise = std::function<torch::Tensor()>;
using NoiseBetween = std::function<torch::Tensor(float sigma, float nextSigma)>;
struct SamplerNoise {
    NextNoise next;
    NoiseBetween between;
};

/// Everything that a run knows at a step boundary besides its noise source. A value: a deep copy of its tensors is a
/// run that can go on elsewhere. What `tensors` and `numbers` hold is each sampler's own affair.
struct SamplerState {
    std::int64_t step = 0;  ///< steps that were made
    torch::Tensor x;
    std::vector<torch::Tensor> tensors;
    std::vector<double> numbers;

    SamplerState clone() const;
};

/// UniPC's variants: B1(h), B2(h), and coefficients that vary with the steps. Source  Zhao et al. 2023,
/// arXiv:2302.04867.
enum class UniPcVariant { Bh1, Bh2, VaryCoeff };

/// How UniPC's times are spread: evenly in time, in its square root, in the logarithm of alpha / sigma.
enum class UniPcSkip { TimeUniform, TimeQuadratic, LogSnr };

/// A1111's settings of samplers; each sampler takes those that it knows.
struct SamplerOptions {
    double eta = 1;           ///< of samplers that walk sigmas
    double etaDdim = 0;       ///< of DDIM and DDIM CFG++
    double churn = 0;         ///< s_churn
    double churnMinimum = 0;  ///< s_tmin, a sigma
    double churnMaximum = 0;  ///< s_tmax, a sigma; 0: no limit
    double noiseScale = 1;    ///< s_noise
    int uniPcOrder = 3;
    UniPcVariant uniPcVariant = UniPcVariant::Bh1;
    UniPcSkip uniPcSkip = UniPcSkip::TimeUniform;
    bool uniPcLowerOrderFinal = true;  ///< the last steps look back less
};

/// What a step found.
struct StepResult {
    torch::Tensor denoised;  ///< the network's x0
    float sigma = 0;         ///< the level that was left
};

/// One sampler on one schedule. Immutable: all that changes is in the state.
class Sampler {
public:
    virtual ~Sampler() = default;
    /// Of a whole run; of DPM adaptive, which decides on the way, the number that was asked for.
    virtual std::int64_t steps() const = 0;
    virtual bool finished(const SamplerState &state) const { return state.step >= steps(); }
    /// Makes one step and counts it. Shapes  state.x [B, C, H, W].
    StepResult step(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const;

private:
    virtual StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const = 0;
};

struct SamplerStep {
    int index = 0;  ///< the step that was just made
    int count = 0;
    float sigma = 0;                ///< the level that it left
    const torch::Tensor &denoised;  ///< the network's x0 of this step
    const torch::Tensor &x;         ///< what the step left
};
using StepObserver = std::function<void(const SamplerStep &)>;

/// What a run is given besides sampler and network.
struct SamplerContext {
    SamplerNoise noise;
    StepObserver observer;
    std::stop_token stop;
    /// Asked at each step boundary before the last: true leaves the run there.
    std::function<bool()> leave = {};
};

/// Thrown where a run was left: what it needs to go on, besides its noise source.
struct RunLeft {
    SamplerState state;
};

/// Steps from `state` to the end. Errors  Failure Cancelled at the first step after `stop` was requested; throws
/// RunLeft when the context says so.
torch::Tensor runSampler(const Sampler &sampler, SamplerState state, const Denoiser &model,
                         const SamplerContext &context);

}  // namespace sg::sampling
