// Samplers that step below the next level and add fresh noise up to it. Source  k-diffusion, sampling.py.
#include "core/diffusion/sampling/sigma_walk.h"

#include <algorithm>
#include <cmath>

namespace sg::sampling {
namespace {

torch::Tensor eulerAncestral(const SigmaWalk &walk, SamplerState &state, const Denoiser &model,
                             const SamplerNoise &noise)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    const AncestralLevels levels = ancestralLevels(sigma, next, walk.options.eta);
    state.x = state.x + slope(state.x, denoised, sigma) * (levels.down - sigma);
    if (next > 0) state.x = state.x + noise.next() * levels.up;
    return denoised;
}

torch::Tensor dpm2Ancestral(const SigmaWalk &walk, SamplerState &state, const Denoiser &model,
                            const SamplerNoise &noise)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    const AncestralLevels levels = ancestralLevels(sigma, next, walk.options.eta);
    const torch::Tensor direction = slope(state.x, denoised, sigma);
    if (levels.down == 0) {
        state.x = state.x - direction * sigma;
        return denoised;
    }
    const float middle = std::sqrt(sigma * levels.down);
    const torch::Tensor there = state.x + direction * (middle - sigma);
    state.x = state.x + slope(there, model.x0(there, middle), middle) * (levels.down - sigma);
    state.x = state.x + noise.next() * (walk.options.noiseScale * static_cast<double>(levels.up));
    return denoised;
}

/// Source  Lu et al. 2022, arXiv:2211.01095, algorithm 1.
torch::Tensor dpmpp2S(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    const AncestralLevels levels = ancestralLevels(sigma, next, walk.options.eta);
    if (levels.down == 0) {
        state.x = state.x - slope(state.x, denoised, sigma) * sigma;
    } else {
        const float h = std::log(sigma) - std::log(levels.down);
        const float middle = std::exp(std::log(sigma) - h / 2);
        const torch::Tensor there = middle / sigma * state.x - std::expm1(-h / 2) * denoised;
        state.x = levels.down / sigma * state.x - std::expm1(-h) * model.x0(there, middle);
    }
    if (next > 0) state.x = state.x + noise.next() * (walk.options.noiseScale * static_cast<double>(levels.up));
    return denoised;
}

}  // namespace

AncestralLevels ancestralLevels(float from, float to, double eta)
{
    if (eta == 0) return {to, 0};
    const float all = std::sqrt(to * to * (from * from - to * to) / (from * from));
    const float up = std::min(to, static_cast<float>(eta) * all);
    return {std::sqrt(to * to - up * up), up};
}

SigmaStep *findAncestralStep(std::string_view name)
{
    if (name == "Euler a") return eulerAncestral;
    if (name == "DPM2 a") return dpm2Ancestral;
    if (name == "DPM++ 2S a") return dpmpp2S;
    return nullptr;
}

}  // namespace sg::sampling
