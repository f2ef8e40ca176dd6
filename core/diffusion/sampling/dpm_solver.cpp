#include "core/diffusion/sampling/dpm_solver.h"

#include "core/diffusion/sampling/sigma_walk.h"

#include <ATen/ops/linspace.h>
#include <ATen/ops/maximum.h>

#include <algorithm>
#include <cmath>

namespace sg::sampling {
namespace {

float sigmaOf(float time)
{
    return std::exp(-time);
}

/// The slopes of one step, each asked for once.
class Slopes {
public:
    Slopes(const Denoiser &model, torch::Tensor x, float time) : m_model(model), m_x(std::move(x)), m_time(time)
    {
        m_denoised = m_model.x0(m_x, sigmaOf(m_time));
        m_first = slope(m_x, m_denoised, sigmaOf(m_time));
    }
    const torch::Tensor &denoised() const { return m_denoised; }

    torch::Tensor order1(float end) const { return m_x - m_first * (sigmaOf(end) * std::expm1(end - m_time)); }

    torch::Tensor order2(float end, float share)
    {
        const float h = end - m_time;
        const torch::Tensor &second = secondSlope(m_time + share * h, share * h);
        return order1(end) - (second - m_first) * (sigmaOf(end) / (2 * share) * std::expm1(h));
    }

    torch::Tensor order3(float end)
    {
        constexpr float kFirst = 1.0f / 3, kSecond = 2.0f / 3;
        const float h = end - m_time, late = kSecond * h;
        const torch::Tensor bend = secondSlope(m_time + kFirst * h, kFirst * h) - m_first;
        const float time = m_time + late;
        const torch::Tensor there = m_x - m_first * (sigmaOf(time) * std::expm1(late)) -
                                    bend * (sigmaOf(time) * (kSecond / kFirst) * (std::expm1(late) / late - 1));
        const torch::Tensor third = slope(there, m_model.x0(there, sigmaOf(time)), sigmaOf(time));
        return order1(end) - (third - m_first) * (sigmaOf(end) / kSecond * (std::expm1(h) / h - 1));
    }

private:
    const torch::Tensor &secondSlope(float time, float length)
    {
        if (!m_second.defined()) {
            const torch::Tensor there = m_x - m_first * (sigmaOf(time) * std::expm1(length));
            m_second = slope(there, m_model.x0(there, sigmaOf(time)), sigmaOf(time));
        }
        return m_second;
    }

    const Denoiser &m_model;
    torch::Tensor m_x;
    float m_time;
    torch::Tensor m_denoised, m_first, m_second;
};

struct Target {
    float time = 0;  ///< to step to
    float up = 0;    ///< noise to add there
};

Target targetOf(float from, float to, float last, double eta)
{
    if (eta == 0) return {to, 0};
    const AncestralLevels levels = ancestralLevels(sigmaOf(from), sigmaOf(to), eta);
    const float time = std::min(last, -std::log(levels.down));
    const float high = sigmaOf(to), low = sigmaOf(time);
    return {time, std::sqrt(std::max(high * high - low * low, 0.0f))};
}

class DpmFast final : public Sampler {
public:
    DpmFast(const DpmRange &range, const SamplerOptions &options) : m_options(options)
    {
        const int pieces = range.calls / 3 + 1;
        const torch::Tensor times = at::linspace(-std::log(range.sigmaMax), -std::log(range.sigmaMin), pieces + 1,
                                                 at::TensorOptions(at::kFloat));
        m_times.assign(times.const_data_ptr<float>(), times.const_data_ptr<float>() + times.numel());
        if (range.calls % 3 == 0) {
            m_orders.assign(static_cast<std::size_t>(std::max(pieces - 2, 0)), 3);
            m_orders.insert(m_orders.end(), {2, 1});
        } else {
            m_orders.assign(static_cast<std::size_t>(pieces - 1), 3);
            m_orders.push_back(range.calls % 3);
        }
    }
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_orders.size()); }

private:
    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const override
    {
        const auto index = static_cast<std::size_t>(state.step);
        const float from = m_times[index];
        const Target target = targetOf(from, m_times[index + 1], m_times.back(), m_options.eta);
        Slopes slopes(model, state.x, from);
        state.x = m_orders[index] == 1   ? slopes.order1(target.time)
                  : m_orders[index] == 2 ? slopes.order2(target.time, 0.5f)
                                         : slopes.order3(target.time);
        state.x = state.x + noise.next() * (static_cast<double>(target.up) * m_options.noiseScale);
        return {slopes.denoised(), sigmaOf(from)};
    }

    SamplerOptions m_options;
    std::vector<float> m_times;
    std::vector<int> m_orders;
};

// numbers: the time that was reached, the step size to try. tensors: the last step's lower-order result.
class DpmAdaptive final : public Sampler {
public:
    DpmAdaptive(const DpmRange &range, const SamplerOptions &options)
        : m_options(options), m_calls(range.calls), m_start(-std::log(range.sigmaMax)), m_end(-std::log(range.sigmaMin))
    {
    }
    std::int64_t steps() const override { return m_calls; }
    bool finished(const SamplerState &state) const override { return !(time(state) < m_end - kNearEnd); }

private:
    static constexpr float kNearEnd = 1e-5f;
    static constexpr double kFirstStep = 0.05, kRelative = 0.05, kAbsolute = 0.0078, kSafety = 0.81;

    float time(const SamplerState &state) const
    {
        return state.numbers.empty() ? m_start : static_cast<float>(state.numbers[0]);
    }

    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const override
    {
        if (state.numbers.empty()) {
            state.numbers = {static_cast<double>(m_start), kFirstStep};
            state.tensors = {state.x};
        }
        const float from = time(state);
        const float to = std::min(m_end, from + static_cast<float>(state.numbers[1]));
        const Target target = targetOf(from, to, m_end, m_options.eta);
        Slopes slopes(model, state.x, from);
        const torch::Tensor low = slopes.order2(target.time, 1.0f / 3);
        const torch::Tensor high = slopes.order3(target.time);
        const torch::Tensor allowed = (at::maximum(low.abs(), state.tensors[0].abs()) * kRelative).clamp_min(kAbsolute);
        const double error =
            ((low - high) / allowed).norm().item<double>() / std::sqrt(static_cast<double>(state.x.numel()));
        const double factor = 1 + std::atan(std::pow(1 / (error + 1e-8), 1 / (m_options.eta != 0 ? 1.5 : 3.0)) - 1);
        if (factor >= kSafety) {
            state.tensors[0] = low;
            // Also without eta: the generator moves on as k-diffusion's does. A1111 gives this sampler no s_noise.
            state.x = high + noise.next() * static_cast<double>(target.up);
            state.numbers[0] = static_cast<double>(to);
        }
        state.numbers[1] *= factor;
        return {slopes.denoised(), sigmaOf(from)};
    }

    SamplerOptions m_options;
    std::int64_t m_calls;
    float m_start, m_end;
};

}  // namespace

std::unique_ptr<Sampler> makeDpmFast(const DpmRange &range, const SamplerOptions &options)
{
    return std::make_unique<DpmFast>(range, options);
}

std::unique_ptr<Sampler> makeDpmAdaptive(const DpmRange &range, const SamplerOptions &options)
{
    return std::make_unique<DpmAdaptive>(range, options);
}

}  // namespace sg::sampling
