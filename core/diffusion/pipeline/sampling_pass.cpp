#include "core/diffusion/pipeline/sampling_pass.h"

#include "core/diffusion/sampling/schedules.h"
#include "core/diffusion/sampling/start_step.h"
#include "core/params/samplers.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg {
namespace {

const SamplerSpec &samplerOf(const SamplingPass::Settings &settings)
{
    const SamplerSpec *sampler = findSampler(settings.sampler);
    if (!sampler)
        throw Failure{{ErrorCode::InvalidArgument, "unknown sampler \"" + settings.sampler + "\"", "sampler_name"}};
    return *sampler;
}

std::string_view scheduleOf(const SamplingPass::Settings &settings)
{
    const ScheduleSpec *schedule = findSchedule(settings.schedule);
    if (!schedule)
        throw Failure{{ErrorCode::InvalidArgument, "unknown schedule \"" + settings.schedule + "\"", "scheduler"}};
    return effectiveSchedule(samplerOf(settings), *schedule).name;
}

}  // namespace

SamplingPass::SamplingPass(Checkpoint &checkpoint, const sampling::DiscreteSchedule &levels,
                           sampling::Guidance guidance, Settings settings)
    : m_checkpoint(checkpoint), m_levels(levels), m_guidance(std::move(guidance)), m_settings(std::move(settings))
{
    const bool partly = m_settings.strength.has_value();
    const auto tail = partly ? sampling::scheduleTail(m_settings.steps, *m_settings.strength, m_settings.exactSteps)
                             : sampling::ScheduleTail{m_settings.steps, m_settings.steps};
    m_keepsStart = tail.walked == 0;
    const auto total = static_cast<int>(tail.total);
    if (samplerOf(m_settings).usesSchedule) {
        m_sigmas = sampling::sigmasFor(scheduleOf(m_settings), total, m_levels);
        const auto kept = static_cast<std::size_t>(tail.walked) + 1;
        if (partly && kept < m_sigmas.size())
            m_sigmas.erase(m_sigmas.begin(), m_sigmas.end() - static_cast<std::ptrdiff_t>(kept));
        return;
    }
    m_timesteps = sampling::timestepsFor(total, m_levels);
    if (!partly || m_keepsStart) return;
    // As A1111: the noise is that of one grid step above the first call, and a grid of two entries makes one step.
    const auto last = std::min(static_cast<std::size_t>(tail.walked) - 1, m_timesteps.size() - 1);
    m_startTimestep = m_timesteps[last];
    m_timesteps.resize(std::clamp<std::size_t>(last, 2, m_timesteps.size()));
}

std::int64_t SamplingPass::updates() const
{
    if (m_keepsStart) return 0;
    return static_cast<std::int64_t>(m_sigmas.empty() ? m_timesteps.size() : m_sigmas.size()) - 1;
}

sampling::GuidedModel SamplingPass::makeModel() const
{
    const sampling::NoiseNetwork network = [this](const torch::Tensor &x, const torch::Tensor &timesteps,
                                                  const torch::Tensor &context) {
        if (!m_concat.defined()) return m_checkpoint.unet->forward(x, timesteps, context);
        // The two halves of guidance come as one batch, each with all pictures.
        torch::Tensor beside = m_concat.to(x.scalar_type());
        if (beside.size(0) == 1)
            beside = beside.expand({x.size(0), -1, -1, -1});
        else if (beside.size(0) != x.size(0))
            beside = beside.repeat({x.size(0) / beside.size(0), 1, 1, 1});
        return m_checkpoint.unet->forward(torch::cat({x, beside}, 1), timesteps, context);
    };
    return {network, m_levels, m_checkpoint.config.prediction, m_guidance, m_checkpoint.dtype};
}

torch::Tensor SamplingPass::run(const torch::Tensor &noise, const Start &start,
                                const sampling::SamplerContext &context) const
{
    if (m_keepsStart) return start.latent;
    const torch::Tensor made =
        m_sigmas.empty() ? walkTimesteps(noise, start, context) : walkSigmas(noise, start, context);
    if (!start.redraw.defined()) return made;
    return made * start.redraw + start.latent * (1 - start.redraw);
}

torch::Tensor SamplingPass::walkSigmas(const torch::Tensor &noise, const Start &start,
                                       const sampling::SamplerContext &context) const
{
    sampling::SigmaSampler *const sampler = sampling::findSigmaSampler(m_settings.sampler);
    if (!sampler)
        throw Failure{{ErrorCode::Internal, "no sampler is named \"" + m_settings.sampler + "\"", "sampler_name"}};
    const sampling::GuidedModel model = makeModel();
    const auto predict = [&](const torch::Tensor &x, float sigma) {
        const torch::Tensor denoised = model.x0(x, sigma);
        if (!start.redraw.defined()) return denoised;
        return denoised * start.redraw + start.latent * (1 - start.redraw);
    };
    torch::Tensor x = noise * m_sigmas.front();
    if (start.latent.defined()) {
        x = x + start.latent;
        if (m_settings.extraNoise > 0) x = x + noise * m_settings.extraNoise;
    }
    return sampler(predict, x, m_sigmas, context);
}

torch::Tensor SamplingPass::walkTimesteps(const torch::Tensor &noise, const Start &start,
                                          const sampling::SamplerContext &context) const
{
    std::vector<float> alphas;
    for (std::size_t t = 0; t < m_levels.size(); ++t)
        alphas.push_back(m_levels.alphaCumprod(t));
    const sampling::GuidedModel model = makeModel();
    const auto predict = [&](const torch::Tensor &x, int t) {
        // Here it is the network's input that keeps the unmasked part, without noise; its output is not touched.
        if (start.redraw.defined()) return model.eps(x * start.redraw + start.latent * (1 - start.redraw), t);
        return model.eps(x, t);
    };
    torch::Tensor x = noise;
    if (start.latent.defined()) {
        const double alpha = alphas.at(static_cast<std::size_t>(m_startTimestep));
        x = start.latent * std::sqrt(alpha) + noise * std::sqrt(1 - alpha);
        if (m_settings.extraNoise > 0) x = x + noise * (m_settings.extraNoise * std::sqrt(alpha));
    }
    return sampling::sampleDdim(predict, x, m_timesteps, alphas, context);
}

}  // namespace sg
