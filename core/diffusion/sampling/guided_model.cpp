#include "core/diffusion/sampling/guided_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg::sampling {

GuidedModel::GuidedModel(NoiseNetwork network, const DiscreteSchedule &levels, Prediction prediction, Guidance guidance,
                         torch::ScalarType dtype)
    : m_network(std::move(network)), m_levels(levels), m_prediction(prediction), m_guidance(std::move(guidance)),
      m_dtype(dtype)
{
    m_guidance.wanted = m_guidance.wanted.to(m_dtype);
    m_guidance.unwanted = m_guidance.unwanted.to(m_dtype);
}

torch::Tensor GuidedModel::call(const torch::Tensor &input, float t, const torch::Tensor &context) const
{
    const torch::Tensor times = torch::full({1}, t, input.options()).to(m_dtype).to(torch::kFloat);
    return m_network(input.to(m_dtype), times, context).to(torch::kFloat);
}

/// What the network says with the wanted words (as `guided`) and with the unwanted ones.
NoiseGuess GuidedModel::halves(const torch::Tensor &input, float t, const Combine &combine) const
{
    const std::int64_t batch = input.size(0);
    const torch::Tensor wanted = m_guidance.wanted.expand({batch, -1, -1});
    const torch::Tensor unwanted = m_guidance.unwanted.expand({batch, -1, -1});
    if (wanted.size(1) != unwanted.size(1)) return {combine(call(input, t, wanted)), combine(call(input, t, unwanted))};
    const torch::Tensor both = call(torch::cat({input, input}), t, torch::cat({wanted, unwanted}));
    return {combine(both.narrow(0, 0, batch)), combine(both.narrow(0, batch, batch))};
}

torch::Tensor GuidedModel::guided(const torch::Tensor &input, float t, const Combine &combine) const
{
    if (m_guidance.scale == 1) return combine(call(input, t, m_guidance.wanted.expand({input.size(0), -1, -1})));
    const NoiseGuess found = halves(input, t, combine);
    return found.unwanted + (found.guided - found.unwanted) * m_guidance.scale;
}

torch::Tensor GuidedModel::x0(const torch::Tensor &x, float sigma) const
{
    const float scale = sigma * sigma + 1;
    return guided(x / std::sqrt(scale), m_levels.sigmaToT(sigma), [&](const torch::Tensor &raw) {
        if (m_prediction == Prediction::Eps) return x - raw * sigma;
        return x / scale - raw * (sigma / std::sqrt(scale));
    });
}

torch::Tensor GuidedModel::toEps(const torch::Tensor &x, float t, const torch::Tensor &raw) const
{
    if (m_prediction == Prediction::Eps) return raw;
    const float alpha = m_levels.alphaCumprod(static_cast<std::size_t>(std::max(t, 0.0f)));
    return raw * std::sqrt(alpha) + x * std::sqrt(1 - alpha);
}

torch::Tensor GuidedModel::eps(const torch::Tensor &x, float t) const
{
    return guided(x, t, [&](const torch::Tensor &raw) { return toEps(x, t, raw); });
}

NoiseGuess GuidedModel::epsPair(const torch::Tensor &x, float t, double scaleShare) const
{
    NoiseGuess found = halves(x, t, [&](const torch::Tensor &raw) { return toEps(x, t, raw); });
    found.guided = found.unwanted + (found.guided - found.unwanted) * (m_guidance.scale * scaleShare);
    return found;
}

Denoiser GuidedModel::denoiser() const
{
    return {[this](const torch::Tensor &x, float sigma) { return x0(x, sigma); },
            [this](const torch::Tensor &x, float t) { return eps(x, t); },
            [this](const torch::Tensor &x, float t, double share) { return epsPair(x, t, share); }};
}

}  // namespace sg::sampling
