#include "core/diffusion/sampling/restart.h"

#include "core/diffusion/sampling/sigma_walk.h"

#include <cmath>
#include <utility>

namespace sg::sampling {
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
