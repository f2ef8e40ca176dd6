#include "core/diffusion/sampling/samplers.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

constexpr double kAncestralEta = 1;
constexpr double kDdimEta = 0;

void checkStop(const SamplerContext &context)
{
    if (context.stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
}

void report(const SamplerContext &context, std::size_t index, std::size_t count, float sigma,
            const torch::Tensor &denoised)
{
    if (context.observer) context.observer({static_cast<int>(index), static_cast<int>(count), sigma, denoised});
}

struct AncestralStep {
    float down = 0;  ///< the level to step to
    float up = 0;    ///< the noise added there
};

AncestralStep ancestralStep(float from, float to, float eta)
{
    if (eta == 0) return {to, 0};
    const float up = std::min(to, eta * std::sqrt(to * to * (from * from - to * to) / (from * from)));
    return {std::sqrt(to * to - up * up), up};
}

}  // namespace

torch::Tensor sampleEuler(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                          const SamplerContext &context)
{
    for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
        checkStop(context);
        const torch::Tensor denoised = model(x, sigmas[i]);
        x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i]);
        report(context, i, sigmas.size() - 1, sigmas[i], denoised);
    }
    return x;
}

torch::Tensor sampleEulerAncestral(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                                   const SamplerContext &context)
{
    const auto eta = static_cast<float>(context.eta < 0 ? kAncestralEta : context.eta);
    for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
        checkStop(context);
        const torch::Tensor denoised = model(x, sigmas[i]);
        const AncestralStep step = ancestralStep(sigmas[i], sigmas[i + 1], eta);
        x = x + (x - denoised) / sigmas[i] * (step.down - sigmas[i]);
        if (sigmas[i + 1] > 0) x = x + context.noise() * step.up;
        report(context, i, sigmas.size() - 1, sigmas[i], denoised);
    }
    return x;
}

torch::Tensor sampleDpmpp2M(const X0Predictor &model, torch::Tensor x, const std::vector<float> &sigmas,
                            const SamplerContext &context)
{
    torch::Tensor old;
    for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
        checkStop(context);
        const torch::Tensor denoised = model(x, sigmas[i]);
        torch::Tensor target = denoised;
        // In the time -log sigma; a step to 0 has no end there and takes the clean picture.
        const float h = std::log(sigmas[i]) - std::log(sigmas[i + 1]);
        if (old.defined() && sigmas[i + 1] > 0) {
            const float ratio = (std::log(sigmas[i - 1]) - std::log(sigmas[i])) / h;
            target = (1 + 1 / (2 * ratio)) * denoised - 1 / (2 * ratio) * old;
        }
        x = sigmas[i + 1] > 0 ? sigmas[i + 1] / sigmas[i] * x - std::expm1(-h) * target : denoised;
        old = denoised;
        report(context, i, sigmas.size() - 1, sigmas[i], denoised);
    }
    return x;
}

torch::Tensor sampleDdim(const EpsPredictor &model, torch::Tensor x, const std::vector<int> &timesteps,
                         const std::vector<float> &alphasCumprod, const SamplerContext &context)
{
    const double eta = context.eta < 0 ? kDdimEta : context.eta;
    const std::size_t count = timesteps.size() - 1;
    for (std::size_t i = 0; i < count; ++i) {
        checkStop(context);
        const std::size_t at = count - i;
        const double here = alphasCumprod.at(static_cast<std::size_t>(timesteps[at]));
        const double next = alphasCumprod.at(static_cast<std::size_t>(timesteps[at - 1]));
        const double sigma = eta * std::sqrt((1 - next) / (1 - here) * (1 - here / next));
        const torch::Tensor eps = model(x, timesteps[at]);
        const torch::Tensor denoised = (x - std::sqrt(1 - here) * eps) / std::sqrt(here);
        x = std::sqrt(next) * denoised + std::sqrt(1 - next - sigma * sigma) * eps;
        if (sigma > 0) x = x + sigma * context.noise();
        report(context, i, count, static_cast<float>(std::sqrt((1 - here) / here)), denoised);
    }
    return x;
}

SigmaSampler *findSigmaSampler(std::string_view name)
{
    if (name == "Euler") return sampleEuler;
    if (name == "Euler a") return sampleEulerAncestral;
    if (name == "DPM++ 2M") return sampleDpmpp2M;
    return nullptr;
}

}  // namespace sg::sampling
