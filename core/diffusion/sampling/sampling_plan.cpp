#include "core/diffusion/sampling/sampling_plan.h"

#include "core/base/error.h"
#include "core/diffusion/sampling/dpm_solver.h"
#include "core/diffusion/sampling/restart.h"
#include "core/diffusion/sampling/sigma_walk.h"
#include "core/diffusion/sampling/start_step.h"
#include "core/diffusion/sampling/timestep_samplers.h"
#include "core/params/samplers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

const SamplerSpec &samplerOf(const PlanRequest &request)
{
    const SamplerSpec *sampler = findSampler(request.sampler);
    if (!sampler)
        throw Failure{{ErrorCode::InvalidArgument, "unknown sampler \"" + request.sampler + "\"", "sampler_name"}};
    return *sampler;
}

const std::string &scheduleOf(const PlanRequest &request)
{
    const ScheduleSpec *schedule = findSchedule(request.schedule);
    if (!schedule)
        throw Failure{{ErrorCode::InvalidArgument, "unknown schedule \"" + request.schedule + "\"", "scheduler"}};
    return effectiveSchedule(samplerOf(request), *schedule).name;
}

class SigmaSampler final : public Sampler {
public:
    SigmaSampler(SigmaWalk walk, SigmaStep &step) : m_walk(std::move(walk)), m_step(step) {}
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_walk.sigmas.size()) - 1; }

private:
    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const override
    {
        const float sigma = m_walk.at(state);
        return {m_step(m_walk, state, model, noise), sigma};
    }

    SigmaWalk m_walk;
    SigmaStep &m_step;
};

SigmaStep *findSigmaStep(std::string_view name)
{
    for (const auto find : {findOdeStep, findAncestralStep, findSdeStep, findMultistepStep})
        if (SigmaStep *step = find(name)) return step;
    return nullptr;
}

}  // namespace

SamplingPlan::SamplingPlan(const PlanRequest &request, const DiscreteSchedule &levels)
    : m_sgmNoise(request.sgmNoise), m_extraNoise(request.extraNoise)
{
    const SamplerSpec &sampler = samplerOf(request);
    m_walksSigmas = sampler.usesSchedule;
    m_brownian = sampler.brownianNoise;
    if (m_walksSigmas)
        planSigmas(request, levels);
    else
        planTimesteps(request, levels);
    if (!m_sampler)
        throw Failure{{ErrorCode::Internal, "no sampler is named \"" + request.sampler + "\"", "sampler_name"}};
}

void SamplingPlan::planSigmas(const PlanRequest &request, const DiscreteSchedule &levels)
{
    ScheduleTail tail{request.steps, request.steps};
    if (request.strength) tail = scheduleTail(request.steps, *request.strength, request.exactSteps);
    m_keepsStart = tail.walked == 0;
    ScheduleOptions options = request.schedules;
    if (request.sampler == "LCM") {
        m_lcm = std::make_unique<LcmLevels>(levels);
        options.lcm = m_lcm.get();
    }
    const bool discard = request.discardNextToLast || samplerOf(request).discardNextToLast;
    m_all = sigmasFor(scheduleOf(request), static_cast<int>(tail.total) + (discard ? 1 : 0), levels, options);
    if (discard && m_all.size() > 2) m_all.erase(m_all.end() - 2);
    m_sigmas = m_all;
    if (request.strength && !m_keepsStart) {
        // Counted from the front, as A1111 does: a schedule with more levels than steps then walks more of them.
        const auto skipped = std::min(static_cast<std::size_t>(tail.total - tail.walked), m_sigmas.size() - 2);
        m_sigmas.erase(m_sigmas.begin(), m_sigmas.begin() + static_cast<std::ptrdiff_t>(skipped));
    }
    m_sampler = sigmaSampler(request, static_cast<int>(m_sigmas.size()) - 1, levels);
}

std::unique_ptr<Sampler> SamplingPlan::sigmaSampler(const PlanRequest &request, int steps,
                                                    const DiscreteSchedule &levels)
{
    if (request.sampler == "DPM fast" || request.sampler == "DPM adaptive") {
        // From noise they do without the schedule, but for what the noise is multiplied with.
        DpmRange range{levels.sigmaMax(), levels.sigmaMin(), request.steps};
        if (request.strength)
            range = {m_sigmas.front(), m_sigmas.size() > 2 ? m_sigmas[m_sigmas.size() - 2] : levels.sigmaMin(), steps};
        return request.sampler == "DPM fast" ? makeDpmFast(range, request.sampling)
                                             : makeDpmAdaptive(range, request.sampling);
    }
    if (request.sampler == "Restart") return makeRestart(m_sigmas);
    SigmaStep *step = findSigmaStep(request.sampler);
    if (!step) return nullptr;
    SigmaWalk walk{m_sigmas, request.sampling, m_lcm.get()};
    return std::make_unique<SigmaSampler>(std::move(walk), *step);
}

void SamplingPlan::planTimesteps(const PlanRequest &request, const DiscreteSchedule &levels)
{
    TimestepWalk walk;
    for (std::size_t t = 0; t < levels.size(); ++t)
        walk.alphas.push_back(levels.alphaCumprod(t));
    walk.options = request.sampling;
    ScheduleTail tail{request.steps, request.steps};
    if (request.strength) tail = scheduleTail(request.steps, *request.strength, request.exactSteps);
    m_keepsStart = tail.walked == 0;
    walk.grid = timestepsFor(static_cast<int>(tail.total), levels);
    if (request.strength && !m_keepsStart) {
        // As A1111: the noise is that of one grid step above the first call, and a grid of two entries makes one step.
        const auto last = std::clamp<std::size_t>(static_cast<std::size_t>(tail.walked) - 1, 1, walk.grid.size() - 1);
        m_startAlpha = walk.alphas[static_cast<std::size_t>(walk.grid[last])];
        walk.grid.resize(std::max<std::size_t>(last, 2));
        walk.beginsWithPicture = true;
    }
    m_sampler = makeTimestepSampler(request.sampler, std::move(walk));
}

SamplerState SamplingPlan::begin(const torch::Tensor &noise, const torch::Tensor &latent) const
{
    SamplerState state;
    if (m_walksSigmas) {
        const float sigma = m_sigmas.front();
        if (!latent.defined())
            state.x = noise * (m_sgmNoise ? std::sqrt(1 + sigma * sigma) : sigma);
        else
            state.x = latent + noise * sigma;
    } else {
        state.x = noise;
        if (latent.defined()) state.x = latent * std::sqrt(m_startAlpha) + noise * std::sqrt(1 - m_startAlpha);
    }
    if (latent.defined() && m_extraNoise > 0)
        state.x = state.x + noise * (m_extraNoise * std::sqrt(static_cast<double>(m_startAlpha)));
    return state;
}

void SamplingPlan::prepare(NoiseSource &noise) const
{
    if (m_brownian) noise.openPath(m_all);
}

}  // namespace sg::sampling
