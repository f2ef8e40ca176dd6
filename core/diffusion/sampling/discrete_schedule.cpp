#include "core/diffusion/sampling/discrete_schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

constexpr int kLevels = 1000;
constexpr double kBetaStart = 0.00085;
constexpr double kBetaEnd = 0.012;
constexpr float kLeastAlpha = 4.8973451890853435e-08f;  // sigma 4518.8

std::vector<float> stableDiffusionAlphas()
{
    std::vector<float> alphas;
    alphas.reserve(kLevels);
    const double first = std::sqrt(kBetaStart);
    const double last = std::sqrt(kBetaEnd);
    double product = 1;
    for (int i = 0; i < kLevels; ++i) {
        const double root = first + (last - first) * i / (kLevels - 1);
        product *= 1 - root * root;
        alphas.push_back(static_cast<float>(product));
    }
    return alphas;
}

}  // namespace

bool isUsableSchedule(const std::vector<float> &alphasCumprod)
{
    const auto outside = [](float alpha) { return !(alpha > 0 && alpha < 1); };
    return alphasCumprod.size() >= 2 && std::none_of(alphasCumprod.begin(), alphasCumprod.end(), outside) &&
           std::is_sorted(alphasCumprod.rbegin(), alphasCumprod.rend());
}

DiscreteSchedule::DiscreteSchedule() : DiscreteSchedule(stableDiffusionAlphas()) {}

DiscreteSchedule::DiscreteSchedule(std::vector<float> alphasCumprod) : m_alphasCumprod(std::move(alphasCumprod))
{
    assert(isUsableSchedule(m_alphasCumprod));
    computeSigmas(at::kFloat);
}

void DiscreteSchedule::computeSigmas(at::ScalarType precision)
{
    // With torch's power and logarithm, which differ from the C library's in the last bit: Brownian noise is asked for
    // at these levels rounded to six digits, and a neighbour there is another noise.
    const at::Tensor alphas = at::tensor(m_alphasCumprod).to(precision);
    const at::Tensor roots = ((1 - alphas) / alphas).pow(0.5);
    const at::Tensor sigmas = roots.to(at::kFloat), logs = roots.log().to(at::kFloat);
    m_sigmas.assign(sigmas.const_data_ptr<float>(), sigmas.const_data_ptr<float>() + sigmas.numel());
    m_logSigmas.assign(logs.const_data_ptr<float>(), logs.const_data_ptr<float>() + logs.numel());
}

DiscreteSchedule DiscreteSchedule::inHalfPrecision() const
{
    const at::Tensor rounded = at::tensor(m_alphasCumprod).to(at::kHalf).to(at::kFloat);
    std::vector<float> alphas(rounded.const_data_ptr<float>(), rounded.const_data_ptr<float>() + rounded.numel());
    // A checkpoint's own levels may lie so near 0 or 1 that half precision has nothing between.
    if (!isUsableSchedule(alphas)) return *this;
    DiscreteSchedule made(std::move(alphas));
    made.computeSigmas(at::kHalf);
    return made;
}

DiscreteSchedule DiscreteSchedule::withZeroTerminalSnr() const
{
    const float first = std::sqrt(m_alphasCumprod.front()), last = std::sqrt(m_alphasCumprod.back());
    // Already without a remainder, or without a slope to stretch.
    if (!(first > last) || m_alphasCumprod.back() <= kLeastAlpha) return *this;
    std::vector<float> stretched;
    for (const float alpha : m_alphasCumprod) {
        const float root = (std::sqrt(alpha) - last) * (first / (first - last));
        stretched.push_back(std::max(root * root, kLeastAlpha));
    }
    stretched.back() = kLeastAlpha;
    return DiscreteSchedule(std::move(stretched));
}

float DiscreteSchedule::sigmaToT(float sigma) const
{
    const float wanted = std::log(sigma);
    const auto above = std::upper_bound(m_logSigmas.begin(), m_logSigmas.end(), wanted);
    const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(size()) - 2;
    const auto low = static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(above - m_logSigmas.begin() - 1, 0, last));
    const float weight = (m_logSigmas[low] - wanted) / (m_logSigmas[low] - m_logSigmas[low + 1]);
    const float clamped = std::clamp(weight, 0.0f, 1.0f);
    return (1 - clamped) * static_cast<float>(low) + clamped * static_cast<float>(low + 1);
}

float DiscreteSchedule::tToSigma(float t) const
{
    const float bounded = std::clamp(t, 0.0f, static_cast<float>(size() - 1));
    const auto low = static_cast<std::size_t>(std::floor(bounded));
    const auto high = static_cast<std::size_t>(std::ceil(bounded));
    const float weight = bounded - std::floor(bounded);
    return std::exp((1 - weight) * m_logSigmas[low] + weight * m_logSigmas[high]);
}

float DiscreteSchedule::nearest(float sigma) const
{
    const auto above = std::lower_bound(m_sigmas.begin(), m_sigmas.end(), sigma);
    if (above == m_sigmas.begin()) return 0;
    if (above == m_sigmas.end()) return static_cast<float>(m_sigmas.size() - 1);
    const auto place = above - m_sigmas.begin();
    return static_cast<float>(sigma - *(above - 1) <= *above - sigma ? place - 1 : place);
}

}  // namespace sg::sampling
