#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/samplers.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sg {

/// One walk from noise, or from a latent with noise on it, to a clean latent: sampler, schedule, guidance. Hires fix
/// makes two of them. Thread  that of the checkpoint.
class SamplingPass {
public:
    struct Settings {
        std::string sampler;   ///< a name of samplers()
        std::string schedule;  ///< a name of schedules()
        std::int64_t steps = 20;
        double extraNoise = 0;
        std::optional<double> strength = {};  ///< of a pass that begins with a latent
        bool exactSteps = false;
    };
    /// What it begins with besides noise. Shapes  as StartLatent, all of one batch.
    struct Start {
        torch::Tensor latent;
        torch::Tensor redraw;
    };

    /// Errors  throws Failure InvalidArgument for an unknown sampler or schedule.
    SamplingPass(Checkpoint &checkpoint, const sampling::DiscreteSchedule &levels, sampling::Guidance guidance,
                 Settings settings);

    /// How many steps run() makes.
    std::int64_t updates() const;

    /// What an inpainting or edit network reads beside the latents: [1 or B, C', h, w], or undefined.
    void setConcat(torch::Tensor concat) { m_concat = std::move(concat); }

    /// Shapes  noise [B, C, h, w]; returns the same. Without a start the noise alone is what it begins with.
    torch::Tensor run(const torch::Tensor &noise, const Start &start, const sampling::SamplerContext &context) const;

private:
    sampling::GuidedModel makeModel() const;
    torch::Tensor walkSigmas(const torch::Tensor &noise, const Start &start,
                             const sampling::SamplerContext &context) const;
    torch::Tensor walkTimesteps(const torch::Tensor &noise, const Start &start,
                                const sampling::SamplerContext &context) const;

    Checkpoint &m_checkpoint;
    const sampling::DiscreteSchedule &m_levels;
    sampling::Guidance m_guidance;
    Settings m_settings;
    torch::Tensor m_concat;
    std::vector<float> m_sigmas;   // of samplers that walk sigmas: those that are walked
    std::vector<int> m_timesteps;  // of the others, rising
    int m_startTimestep = 0;       // whose noise lies on the start; one grid step above the first call
    bool m_keepsStart = false;     // strength 0: nothing to walk
};

}  // namespace sg
