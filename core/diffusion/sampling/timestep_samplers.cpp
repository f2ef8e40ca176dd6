#include "core/diffusion/sampling/timestep_samplers.h"

#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

class TimestepSampler : public Sampler {
public:
    explicit TimestepSampler(TimestepWalk walk) : m_walk(std::move(walk)) {}
    std::int64_t steps() const override { return static_cast<std::int64_t>(m_walk.grid.size()) - 1; }

protected:
    /// The two ends of a step.
    struct Gap {
        int t = 0;                   ///< the level it leaves
        int next = 0;                ///< and the one it reaches
        double here = 0, there = 0;  ///< their products of alphas
        float sigma() const { return static_cast<float>(std::sqrt((1 - here) / here)); }
    };
    Gap gap(const SamplerState &state) const
    {
        const auto at = m_walk.grid.size() - 1 - static_cast<std::size_t>(state.step);
        Gap made{m_walk.grid[at], m_walk.grid[at - 1]};
        made.here = static_cast<double>(m_walk.alphas.at(static_cast<std::size_t>(made.t)));
        made.there = static_cast<double>(m_walk.alphas.at(static_cast<std::size_t>(made.next)));
        return made;
    }
    const TimestepWalk &walk() const { return m_walk; }

private:
    TimestepWalk m_walk;
};

class Ddim final : public TimestepSampler {
public:
    Ddim(TimestepWalk walk, bool plusPlus) : TimestepSampler(std::move(walk)), m_plusPlus(plusPlus) {}

private:
    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const override
    {
        // A1111 divides the CFG scale so that the slider's usual values fit this sampler.
        constexpr double kScaleShare = 1 / 12.5;
        const Gap step = gap(state);
        const auto t = static_cast<float>(step.t);
        NoiseGuess guess;
        if (m_plusPlus)
            guess = model.epsPair(state.x, t, kScaleShare);
        else
            guess.guided = guess.unwanted = model.eps(state.x, t);
        const double sigma =
            walk().options.etaDdim * std::sqrt((1 - step.there) / (1 - step.here) * (1 - step.here / step.there));
        const torch::Tensor denoised = (state.x - std::sqrt(1 - step.here) * guess.guided) / std::sqrt(step.here);
        state.x = std::sqrt(step.there) * denoised + std::sqrt(1 - step.there - sigma * sigma) * guess.unwanted;
        if (sigma > 0) state.x = state.x + sigma * noise.next();
        return {denoised, step.sigma()};
    }

    bool m_plusPlus;
};

// tensors: the last three guesses of the noise, newest first.
class Plms final : public TimestepSampler {
public:
    using TimestepSampler::TimestepSampler;

private:
    static constexpr std::size_t kRemembered = 3;

    StepResult make(SamplerState &state, const Denoiser &model, const SamplerNoise &) const override
    {
        const Gap step = gap(state);
        const torch::Tensor eps = model.eps(state.x, static_cast<float>(step.t));
        const std::vector<torch::Tensor> &old = state.tensors;
        torch::Tensor blend;
        if (old.empty())
            blend = (eps + model.eps(moved(state.x, eps, step), static_cast<float>(step.next))) / 2;
        else if (old.size() == 1)
            blend = (3 * eps - old[0]) / 2;
        else if (old.size() == 2)
            blend = (23 * eps - 16 * old[0] + 5 * old[1]) / 12;
        else
            blend = (55 * eps - 59 * old[0] + 37 * old[1] - 9 * old[2]) / 24;
        const torch::Tensor denoised = clean(state.x, blend, step);
        state.x = moved(state.x, blend, step);
        state.tensors.insert(state.tensors.begin(), eps);
        if (state.tensors.size() > kRemembered) state.tensors.pop_back();
        return {denoised, step.sigma()};
    }

    static torch::Tensor clean(const torch::Tensor &x, const torch::Tensor &eps, const Gap &step)
    {
        return (x - std::sqrt(1 - step.here) * eps) / std::sqrt(step.here);
    }
    static torch::Tensor moved(const torch::Tensor &x, const torch::Tensor &eps, const Gap &step)
    {
        return std::sqrt(step.there) * clean(x, eps, step) + std::sqrt(1 - step.there) * eps;
    }
};

}  // namespace

std::unique_ptr<Sampler> makeTimestepSampler(std::string_view name, TimestepWalk walk)
{
    if (name == "DDIM") return std::make_unique<Ddim>(std::move(walk), false);
    if (name == "DDIM CFG++") return std::make_unique<Ddim>(std::move(walk), true);
    if (name == "PLMS") return std::make_unique<Plms>(std::move(walk));
    if (name == "UniPC") return makeUniPc(std::move(walk));
    return nullptr;
}

}  // namespace sg::sampling
