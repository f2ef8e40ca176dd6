#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/sampling_plan.h"
#include "core/params/generation_request.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <utility>

namespace sg {

/// What the request says of every walk, and the first pass's own part.
sampling::PlanRequest firstPlan(const GenerationRequest &request, const CheckpointConfig &config);
/// Hires fix walks on with its own sampler, always for as many steps as were asked for.
sampling::PlanRequest hiresPlan(const GenerationRequest &request, const CheckpointConfig &config);
/// How often so many steps ask the network, as A1111 counts. The sampler's name is known to be one.
std::int64_t callsOf(const std::string &sampler, std::int64_t steps);

/// One walk from noise, or from a latent with noise on it, to a clean latent: what is the same for all batches of it.
/// Hires fix makes two of them. Thread  that of the checkpoint.
class SamplingPass {
public:
    /// What it begins with besides noise. Shapes  as StartLatent, all of one batch.
    struct Start {
        torch::Tensor latent;
        torch::Tensor redraw;
    };

    /// Errors  throws Failure InvalidArgument for an unknown sampler or schedule.
    SamplingPass(Checkpoint &checkpoint, const sampling::DiscreteSchedule &levels,
                 const sampling::PlanRequest &request);

    /// How many steps run() makes.
    std::int64_t updates() const { return m_plan.updates(); }

    /// What an inpainting or edit network reads beside the latents: [1 or B, C', h, w], or undefined.
    void setConcat(torch::Tensor concat) { m_concat = std::move(concat); }

    /// Opens what the sampler draws from besides the noise's blocks.
    void prepare(sampling::NoiseSource &noise) const { m_plan.prepare(noise); }

    /// Shapes  noise [B, C, h, w]; returns the same. Without a start the noise alone is what it begins with.
    torch::Tensor run(sampling::Guidance guidance, const torch::Tensor &noise, const Start &start,
                      const sampling::SamplerContext &context) const;

private:
    sampling::GuidedModel makeModel(sampling::Guidance guidance) const;
    sampling::Denoiser masked(const sampling::GuidedModel &model, const Start &start) const;

    Checkpoint &m_checkpoint;
    const sampling::DiscreteSchedule &m_levels;
    sampling::SamplingPlan m_plan;
    torch::Tensor m_concat;
};

}  // namespace sg
