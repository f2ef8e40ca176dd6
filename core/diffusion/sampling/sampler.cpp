#include "core/diffusion/sampling/sampler.h"

#include "core/base/error.h"

#include <algorithm>

namespace sg::sampling {

SamplerState SamplerState::clone() const
{
    SamplerState copy = *this;
    if (copy.x.defined()) copy.x = copy.x.clone();
    for (torch::Tensor &tensor : copy.tensors)
        if (tensor.defined()) tensor = tensor.clone();
    return copy;
}

StepResult Sampler::step(SamplerState &state, const Denoiser &model, const SamplerNoise &noise) const
{
    StepResult result = make(state, model, noise);
    ++state.step;
    return result;
}

torch::Tensor runSampler(const Sampler &sampler, SamplerState state, const Denoiser &model,
                         const SamplerContext &context)
{
    while (!sampler.finished(state)) {
        if (context.stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
        if (context.leave && context.leave()) throw RunLeft{state.clone()};
        const StepResult made = sampler.step(state, model, context.noise);
        const auto count = static_cast<int>(std::max(sampler.steps(), state.step));
        if (context.observer) context.observer({static_cast<int>(state.step) - 1, count, made.sigma, made.denoised, state.x});
    }
    return state.x;
}

}  // namespace sg::sampling
