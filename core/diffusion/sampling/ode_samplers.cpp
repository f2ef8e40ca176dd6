// Samplers that follow the slope dx/dsigma, with and without churn, and those that go back up between.
#include "core/diffusion/sampling/lcm_levels.h"
#include "core/diffusion/sampling/restart.h"
#include "core/diffusion/sampling/sigma_walk.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace sg::sampling {
namespace {

/// Karras' churn: x is first taken back to a higher level. Returns that level.
float churned(const SigmaWalk &walk, SamplerState &state, const SamplerNoise &noise)
{
    const SamplerOptions &options = walk.options;
    const float sigma = walk.at(state);
    if (options.churn <= 0) return sigma;
    // The generator moves on at every step, also at those without churn.
    const torch::Tensor fresh = noise.next() * options.noiseScale;
    const double most = options.churnMaximum > 0 ? options.churnMaximum : std::numeric_limits<double>::infinity();
    if (sigma < options.churnMinimum || sigma > most) return sigma;
    const double gamma = std::min(options.churn / static_cast<double>(walk.sigmas.size() - 1), std::sqrt(2.0) - 1);
    const float high = sigma * static_cast<float>(gamma + 1);
    state.x = state.x + fresh * std::sqrt(high * high - sigma * sigma);
    return high;
}

torch::Tensor euler(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = churned(walk, state, noise);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    state.x = state.x + slope(state.x, denoised, sigma) * (walk.next(state) - sigma);
    return denoised;
}

torch::Tensor heun(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = churned(walk, state, noise);
    const float next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    torch::Tensor direction = slope(state.x, denoised, sigma);
    if (next > 0) {
        const torch::Tensor there = state.x + direction * (next - sigma);
        direction = (direction + slope(there, model.x0(there, next), next)) / 2;
    }
    state.x = state.x + direction * (next - sigma);
    return denoised;
}

/// Heun with a third look, one level further, weighted by the levels. Forge gives it no churn. Source  Carzit's
/// sd-webui-samplers-scheduler.
torch::Tensor heunPlus(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    const float sigma = walk.at(state);
    const float next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    const auto index = static_cast<std::size_t>(state.step);
    const float end = walk.sigmas.back();
    torch::Tensor direction = slope(state.x, denoised, sigma);
    if (next != end) {
        const torch::Tensor second = state.x + direction * (next - sigma);
        const torch::Tensor secondSlope = slope(second, model.x0(second, next), next);
        const float further = walk.sigmas[index + 2];
        const float whole = walk.sigmas.front() * (further == end ? 2.0f : 3.0f);
        float rest = 1 - next / whole;
        torch::Tensor others = secondSlope * (next / whole);
        if (further != end) {
            const torch::Tensor third = second + secondSlope * (further - next);
            others = others + slope(third, model.x0(third, further), further) * (further / whole);
            rest -= further / whole;
        }
        direction = direction * rest + others;
    }
    state.x = state.x + direction * (next - sigma);
    return denoised;
}

torch::Tensor dpm2(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = churned(walk, state, noise);
    const float next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    torch::Tensor direction = slope(state.x, denoised, sigma);
    if (next > 0) {
        const float middle = std::sqrt(sigma * next);
        const torch::Tensor there = state.x + direction * (middle - sigma);
        direction = slope(there, model.x0(there, middle), middle);
    }
    state.x = state.x + direction * (next - sigma);
    return denoised;
}

torch::Tensor lcm(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float next = walk.next(state);
    const torch::Tensor denoised = walk.lcm->x0(model, state.x, walk.at(state));
    state.x = next > 0 ? denoised + noise.next() * next : denoised;
    return denoised;
}

/// Source  Ho et al. 2020, arXiv:2006.11239, algorithm 2, between levels that need not be neighbours.
torch::Tensor ddpm(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const double sigma = walk.at(state), next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, walk.at(state));
    const double here = 1 / (sigma * sigma + 1), there = 1 / (next * next + 1), alpha = here / there;
    const torch::Tensor eps = slope(state.x, denoised, walk.at(state));
    torch::Tensor x = (state.x * std::sqrt(here) - eps * ((1 - alpha) / std::sqrt(1 - here))) * std::sqrt(1 / alpha);
    if (next > 0) x = (x + noise.next() * std::sqrt((1 - alpha) * (1 - there) / (1 - here))) / std::sqrt(there);
    state.x = x;
    return denoised;
}

}  // namespace

torch::Tensor slope(const torch::Tensor &x, const torch::Tensor &denoised, float sigma)
{
    return (x - denoised) / sigma;
}

SigmaStep *findOdeStep(std::string_view name)
{
    if (name == "Euler") return euler;
    if (name == "Heun") return heun;
    if (name == "HeunPP2") return heunPlus;
    if (name == "DPM2") return dpm2;
    if (name == "LCM") return lcm;
    if (name == "DDPM") return ddpm;
    return nullptr;
}

namespace {

// Some schedules have a level half way between two of the fifty, where the last bit decides: with torch's logarithm, as
// A1111. Of two equally near the lower one is taken.
std::vector<float> logsOf(const std::vector<float> &sigmas)
{
    const torch::Tensor logs = at::tensor(sigmas).log();
    return {logs.const_data_ptr<float>(), logs.const_data_ptr<float>() + logs.numel()};
}

}  // namespace

LcmLevels::LcmLevels(const DiscreteSchedule &levels)
{
    for (std::size_t t = kStride - 1; t < levels.size(); t += kStride)
        m_sigmas.push_back(levels.sigma(t));
    m_logs = logsOf(m_sigmas);
}

int LcmLevels::nearest(float sigma) const
{
    const float wanted = logsOf({sigma})[0];
    std::size_t best = 0;
    for (std::size_t i = 1; i < m_logs.size(); ++i)
        if (std::abs(wanted - m_logs[i]) < std::abs(wanted - m_logs[best])) best = i;
    return static_cast<int>(best) * kStride + kStride - 1;
}

torch::Tensor LcmLevels::x0(const Denoiser &model, const torch::Tensor &x, float sigma) const
{
    // The weights of the consistency function; the network's own time counts ten times there.
    constexpr double kData = 0.5, kTimeScale = 10;
    const double t = kTimeScale * nearest(sigma);
    const double keep = kData * kData / (t * t + kData * kData);
    const double take = t / std::sqrt(t * t + kData * kData);
    const torch::Tensor eps = model.eps(x / std::sqrt(sigma * sigma + 1), static_cast<float>(nearest(sigma)));
    const torch::Tensor denoised = (x - eps * sigma) * take + x * keep;
    return model.kept ? model.kept(denoised, sigma) : denoised;
}

namespace {

constexpr int kFirstRestart = 20;  // steps
constexpr int kSecondRestart = 36;
constexpr int kRestartSteps = 9;
constexpr double kRestartFrom = 0.1;  // sigmas
constexpr double kRestartTo = 2;

std::vector<float> karras(int steps, double low, double high)
{
    constexpr double kRho = 7;
    const double first = std::pow(high, 1 / kRho), last = std::pow(low, 1 / kRho);
    std::vector<float> sigmas;
    for (int i = 0; i < steps; ++i) {
        const double share = steps == 1 ? 0 : static_cast<double>(i) / (steps - 1);
        sigmas.push_back(static_cast<float>(std::pow(first + share * (last - first), kRho)));
    }
    return sigmas;
}

std::size_t nearest(const std::vector<float> &sigmas, double wanted)
{
    std::size_t best = 0;
    for (std::size_t i = 1; i < sigmas.size(); ++i)
        if (std::abs(static_cast<double>(sigmas[i]) - wanted) < std::abs(static_cast<double>(sigmas[best]) - wanted))
            best = i;
    return best;
}

class Restart final : public Sampler {
public:
    explicit Restart(std::vector<float> sigmas)
    {
        const auto steps = static_cast<int>(sigmas.size()) - 1;
        if (steps < kFirstRestart) {
            addFalling(sigmas);
            return;
        }
        const int times = steps < kSecondRestart ? 1 : 2;
        const int length = steps < kSecondRestart ? kRestartSteps : steps / 4;
        sigmas = karras(steps - length * times, static_cast<double>(sigmas[sigmas.size() - 2]),
                        static_cast<double>(sigmas.front()));
        sigmas.push_back(0);
        const std::size_t from = nearest(sigmas, kRestartFrom), to = nearest(sigmas, kRestartTo);
        addFalling({sigmas.begin(), sigmas.begin() + static_cast<std::ptrdiff_t>(from) + 1});
        const std::vector<float> again =
            karras(length + 1, static_cast<double>(sigmas[from]), static_cast<double>(sigmas[to]));
        for (int i = 0; i < times && to < from; ++i)
            addFalling(again);
        addFalling({sigmas.begin() + static_cast<std::ptrdiff_t>(from), sigmas.end()});
    }
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_steps.size()); }

private:
    void addFalling(const std::vector<float> &sigmas)
    {
        for (std::size_t i = 0; i + 1 < sigmas.size(); ++i)
            m_steps.emplace_back(sigmas[i], sigmas[i + 1]);
    }

    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const override
    {
        const auto [sigma, next] = m_steps[static_cast<std::size_t>(state.step)];
        if (state.step > 0) {
            const float reached = m_steps[static_cast<std::size_t>(state.step) - 1].second;
            if (reached < sigma) state.x = state.x + noise.next() * std::sqrt(sigma * sigma - reached * reached);
        }
        const torch::Tensor denoised = model.x0(state.x, sigma);
        torch::Tensor direction = slope(state.x, denoised, sigma);
        if (next > 0) {
            const torch::Tensor there = state.x + direction * (next - sigma);
            direction = (direction + slope(there, model.x0(there, next), next)) / 2;
        }
        state.x = state.x + direction * (next - sigma);
        return {denoised, sigma};
    }

    std::vector<std::pair<float, float>> m_steps;
};

}  // namespace

std::unique_ptr<Sampler> makeRestart(const std::vector<float> &sigmas)
{
    return std::make_unique<Restart>(sigmas);
}

}  // namespace sg::sampling
