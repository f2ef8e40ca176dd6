#include "core/diffusion/sampling/guided_model.h"

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

torch::Tensor GuidedModel::call(const torch::Tensor &input, float t, const Conditioning &told) const
{
    const torch::Tensor times = torch::full({1}, t, input.options()).to(m_dtype).to(torch::kFloat);
    return m_network(input.to(m_dtype), times, told).to(torch::kFloat);
}

torch::Tensor GuidedModel::guided(const torch::Tensor &input, float t, const Combine &combine) const
{
    const std::int64_t batch = input.size(0);
    const Conditioning wanted = m_guidance.wanted.expanded(batch);
    if (m_guidance.scale == 1) return combine(call(input, t, wanted));
    const Conditioning unwanted = m_guidance.unwanted.expanded(batch);
    torch::Tensor with, without;
    if (wanted.context.size(1) == unwanted.context.size(1)) {
        const torch::Tensor both = call(torch::cat({input, input}), t, Conditioning::join(wanted, unwanted));
        with = combine(both.narrow(0, 0, batch));
        without = combine(both.narrow(0, batch, batch));
    } else {
        with = combine(call(input, t, wanted));
        without = combine(call(input, t, unwanted));
    }
    return without + (with - without) * m_guidance.scale;
}

torch::Tensor GuidedModel::x0(const torch::Tensor &x, float sigma) const
{
    const float scale = sigma * sigma + 1;
    return guided(x / std::sqrt(scale), m_levels.sigmaToT(sigma), [&](const torch::Tensor &raw) {
        if (m_prediction == Prediction::Eps) return x - raw * sigma;
        return x / scale - raw * (sigma / std::sqrt(scale));
    });
}

torch::Tensor GuidedModel::eps(const torch::Tensor &x, int t) const
{
    const float alpha = m_levels.alphaCumprod(static_cast<std::size_t>(t));
    return guided(x, static_cast<float>(t), [&](const torch::Tensor &raw) {
        if (m_prediction == Prediction::Eps) return raw;
        return raw * std::sqrt(alpha) + x * std::sqrt(1 - alpha);
    });
}

}  // namespace sg::sampling
