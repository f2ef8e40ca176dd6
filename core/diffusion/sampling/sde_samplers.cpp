// Samplers that solve the stochastic equation: their noise is one Brownian path, so that finer steps draw the same
// picture. Source  Lu et al. 2022, arXiv:2211.01095, section 4 and appendix; k-diffusion, sampling.py.
#include "core/diffusion/sampling/sigma_walk.h"

#include <ATen/ops/scalar_tensor.h>

#include <cmath>

namespace sg::sampling {
namespace {

torch::Tensor dpmppSde(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const double eta = walk.options.eta, scale = walk.options.noiseScale;
    const torch::Tensor denoised = model.x0(state.x, sigma);
    if (next == 0) {
        state.x = state.x - slope(state.x, denoised, sigma) * sigma;
        return denoised;
    }
    const float t = -exactLog(sigma), end = -exactLog(next);
    const float from = exactExp(-t), to = exactExp(-end);
    const float middle = exactExp(-(t + (end - t) * 0.5f));

    const AncestralLevels half = ancestralLevels(from, middle, eta);
    const float halfTime = -std::log(half.down);
    torch::Tensor there = std::exp(-halfTime) / from * state.x - std::expm1(t - halfTime) * denoised;
    there = there + noise.between(from, middle) * (scale * static_cast<double>(half.up));
    const torch::Tensor second = model.x0(there, middle);

    const AncestralLevels whole = ancestralLevels(from, to, eta);
    const float wholeTime = -std::log(whole.down);
    state.x = std::exp(-wholeTime) / from * state.x - std::expm1(t - wholeTime) * second;
    state.x = state.x + noise.between(from, to) * (scale * static_cast<double>(whole.up));
    return denoised;
}

// tensors: the last x0. numbers: the last h.
torch::Tensor multistepSde(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise,
                           bool heun)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const double eta = walk.options.eta;
    const torch::Tensor denoised = model.x0(state.x, sigma);
    if (next == 0) {
        state.x = denoised;
        return denoised;
    }
    const double h = std::log(static_cast<double>(sigma)) - std::log(static_cast<double>(next));
    const double decay = -std::expm1(-h - eta * h);
    torch::Tensor x = (static_cast<double>(next / sigma) * std::exp(-eta * h)) * state.x + decay * denoised;
    if (!state.tensors.empty()) {
        const double ratio = state.numbers[0] / h;
        const double weight = heun ? decay / (-h - eta * h) + 1 : 0.5 * decay;
        x = x + (weight / ratio) * (denoised - state.tensors[0]);
    }
    if (eta != 0) {
        const double spread = static_cast<double>(next) * std::sqrt(-std::expm1(-2 * eta * h));
        x = x + noise.between(sigma, next) * (spread * walk.options.noiseScale);
    }
    state.x = x;
    state.tensors = {denoised};
    state.numbers = {h};
    return denoised;
}

torch::Tensor dpmpp2MSde(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    return multistepSde(walk, state, model, noise, false);
}

torch::Tensor dpmpp2MSdeHeun(const SigmaWalk &walk, SamplerState &state, const Denoiser &model,
                             const SamplerNoise &noise)
{
    return multistepSde(walk, state, model, noise, true);
}

// tensors and numbers: the last two x0 and h, newest first.
torch::Tensor dpmpp3MSde(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &noise)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const double eta = walk.options.eta;
    const torch::Tensor denoised = model.x0(state.x, sigma);
    if (next == 0) {
        state.x = denoised;
        return denoised;
    }
    const double h = std::log(static_cast<double>(sigma)) - std::log(static_cast<double>(next));
    const double hEta = h * (eta + 1);
    torch::Tensor x = std::exp(-hEta) * state.x - std::expm1(-hEta) * denoised;
    const double phi2 = std::expm1(-hEta) / hEta + 1;
    if (state.tensors.size() == 2) {
        const double r0 = state.numbers[0] / h, r1 = state.numbers[1] / h;
        const torch::Tensor newer = (denoised - state.tensors[0]) / r0;
        const torch::Tensor older = (state.tensors[0] - state.tensors[1]) / r1;
        const torch::Tensor bend = (newer - older) / (r0 + r1);
        x = x + phi2 * (newer + bend * r0) - (phi2 / hEta - 0.5) * bend;
    } else if (state.tensors.size() == 1) {
        x = x + (phi2 * h / state.numbers[0]) * (denoised - state.tensors[0]);
    }
    if (eta != 0) {
        const double spread = static_cast<double>(next) * std::sqrt(-std::expm1(-2 * h * eta));
        x = x + noise.between(sigma, next) * (spread * walk.options.noiseScale);
    }
    state.x = x;
    state.tensors.insert(state.tensors.begin(), denoised);
    state.numbers.insert(state.numbers.begin(), h);
    if (state.tensors.size() > 2) {
        state.tensors.pop_back();
        state.numbers.pop_back();
    }
    return denoised;
}

}  // namespace

float exactLog(float value)
{
    return at::scalar_tensor(static_cast<double>(value), at::kFloat).log().item<float>();
}

float exactExp(float value)
{
    return at::scalar_tensor(static_cast<double>(value), at::kFloat).exp().item<float>();
}

SigmaStep *findSdeStep(std::string_view name)
{
    if (name == "DPM++ SDE") return dpmppSde;
    if (name == "DPM++ 2M SDE") return dpmpp2MSde;
    if (name == "DPM++ 2M SDE Heun") return dpmpp2MSdeHeun;
    if (name == "DPM++ 3M SDE") return dpmpp3MSde;
    return nullptr;
}

}  // namespace sg::sampling
