#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/sampling_plan.h"
#include "core/params/generation_request.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace sg {

/// What the request says of every walk, and the first pass's own part.
sampling::PlanRequest firstPlan(const GenerationRequest &request, const CheckpointConfig &config);
/// Hires fix walks on with its own sampler, always for as many steps as were asked for.
sampling::PlanRequest hiresPlan(const GenerationRequest &request, const CheckpointConfig &config);
/// How often so many steps ask the network, as A1111 counts. The sampler's name is known to be one.
std::int64_t callsOf(const std::string &sampler, std::int64_t steps);

/// Where a walk was left, at a step boundary: with its noise source all that it needs to go on.
struct PassState {
    sampling::SamplerState sampler;
    std::int64_t calls = 0, refinerCalls = 0;
    bool refined = false;  ///< the refiner has taken over
};
/// Thrown by SamplingPass::run where the context wants the walk to be left.
struct PassLeft {
    PassState state;
};

/// One walk from noise, or from a latent with noise on it, to a clean latent: what is the same for all batches of it.
/// Hires fix makes two of them. Thread  that of the checkpoint.
class SamplingPass {
public:
    /// What it begins with besides noise. Shapes  as StartLatent, all of one batch.
    struct Start {
        torch::Tensor latent;
        torch::Tensor redraw;
        std::optional<SoftInpainting> soft = {};
    };

    /// Errors  throws Failure InvalidArgument for an unknown sampler or schedule.
    SamplingPass(Checkpoint &checkpoint, const sampling::PlanRequest &request, const SamplerSettings &settings);

    /// How many steps run() makes.
    std::int64_t updates() const { return m_plan.updates(); }
    Checkpoint &checkpoint() const { return m_checkpoint; }
    SamplingPass(const SamplingPass &) = delete;
    SamplingPass &operator=(const SamplingPass &) = delete;

    /// What an inpainting or edit network reads beside the latents: [1 or B, C', h, w], or undefined.
    void setConcat(torch::Tensor concat) { m_concat = std::move(concat); }

    /// How strongly an edit network keeps to the picture (image_cfg_scale); 1: only the words are guided.
    /// Source  Brooks et al. 2022, arXiv:2211.09800, equation 3.
    void setImageScale(double scale) { m_imageScale = scale; }

    /// From a share of the levels, or of the calls, on another network takes over, with guidance of its own.
    void setRefiner(Checkpoint &refiner, const Refiner &how, const SamplerSettings &settings);

    /// Opens what the sampler draws from besides the noise's blocks.
    void prepare(sampling::NoiseSource &noise) const { m_plan.prepare(noise); }

    /// The noise that Euler's walk would make these latents of, found by walking it upwards; of a spread of 1, or, with
    /// sigma adjustment, divided by the highest level. Tells the observer each step. Shapes  latent [B, C, h, w],
    /// returns the same.
    torch::Tensor noiseOf(const torch::Tensor &latent, sampling::Guidance guidance, const AlternativeNoise &search,
                          const sampling::SamplerContext &context) const;
    /// What makes the walk begin with that noise alone where it begins at the highest level.
    torch::Tensor replacing(const torch::Tensor &found, const torch::Tensor &drawn, const torch::Tensor &latent,
                            double randomness) const;

    /// Shapes  noise [B, C, h, w]; returns the same. Without a start the noise alone is what it begins with.
    /// `refined`: the refiner's guidance, where there is one. `from`: goes on from there instead, without `noise`.
    /// Errors  throws PassLeft when the context says so.
    torch::Tensor run(sampling::Guidance guidance, sampling::Guidance refined, const torch::Tensor &noise,
                      const Start &start, const sampling::SamplerContext &context,
                      const PassState *from = nullptr) const;

private:
    sampling::GuidedModel makeModel(sampling::Guidance guidance) const;
    sampling::GuidedModel makeRefiner(sampling::Guidance guidance) const;
    sampling::Denoiser handedOver(const sampling::GuidedModel &model, const sampling::GuidedModel &refiner,
                                  std::int64_t calls, bool &switched) const;
    torch::Tensor kept(const Start &start, const torch::Tensor &x, float level) const;
    sampling::Denoiser masked(const sampling::Denoiser &plain, const Start &start) const;

    Checkpoint &m_checkpoint;
    sampling::DiscreteSchedule m_levels;
    sampling::SamplingPlan m_plan;
    torch::Tensor m_concat;
    double m_imageScale = 1;
    Checkpoint *m_refiner = nullptr;
    std::optional<sampling::DiscreteSchedule> m_refinerLevels;
    Refiner m_handover;
};

}  // namespace sg
