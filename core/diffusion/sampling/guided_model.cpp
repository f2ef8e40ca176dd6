#include "core/diffusion/sampling/guided_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg::sampling {
namespace {

constexpr double kSameSum = 1e-9;

/// The last row again and again, up to `length` rows.
torch::Tensor longer(const torch::Tensor &context, std::int64_t length)
{
    const std::int64_t missing = length - context.size(1);
    if (missing <= 0) return context;
    return torch::cat({context, context.narrow(1, context.size(1) - 1, 1).expand({-1, missing, -1})}, 1);
}

}  // namespace

GuidedModel::GuidedModel(NoiseNetwork network, const DiscreteSchedule &levels, Prediction prediction, Guidance guidance,
                         torch::ScalarType dtype)
    : m_network(std::move(network)), m_levels(levels), m_prediction(prediction), m_guidance(std::move(guidance)),
      m_dtype(dtype)
{
    auto &wanted = m_guidance.wanted.pictures;
    if (wanted.size() == 1)
        wanted.resize(std::max<std::size_t>(m_guidance.unwanted.pictures.size(), 1), wanted.front());
}

torch::Tensor GuidedModel::call(const torch::Tensor &input, float t, const Conditioning &told) const
{
    const torch::Tensor times = torch::full({1}, t, input.options()).to(m_dtype).to(torch::kFloat);
    return m_network(input.to(m_dtype), times, told).to(torch::kFloat);
}

/// What is told at this call; a picture's contexts are of one length.
GuidedModel::Side GuidedModel::sideOf(const Words &words) const
{
    Side side;
    for (const std::vector<Words::Part> &parts : words.pictures) {
        Rows rows;
        std::int64_t length = 0;
        for (const Words::Part &part : parts) {
            rows.push_back({part.weight, part.at(m_calls).to(m_dtype), {}});
            length = std::max(length, rows.back().told.context.size(1));
        }
        for (Row &row : rows)
            row.told.context = longer(row.told.context, length);
        side.push_back(std::move(rows));
    }
    return side;
}

void GuidedModel::fillUp(Side &wanted, Side &unwanted) const
{
    const torch::Tensor &empty = m_guidance.options.empty;
    if (!empty.defined()) return;
    const torch::Tensor filler = empty.to(m_dtype);
    for (std::size_t i = 0; i < std::max(wanted.size(), unwanted.size()); ++i) {
        Rows &with = wanted[std::min(i, wanted.size() - 1)], &without = unwanted[std::min(i, unwanted.size() - 1)];
        const std::int64_t length = std::max(with.front().told.context.size(1), without.front().told.context.size(1));
        for (Rows *rows : {&with, &without})
            for (Row &row : *rows) {
                const std::int64_t times = (length - row.told.context.size(1)) / filler.size(1);
                if (times > 0)
                    row.told.context = torch::cat(
                        {row.told.context, filler.repeat({1, times, 1}).expand({row.told.context.size(0), -1, -1})}, 1);
            }
    }
}

/// Asks the network for all rows, with one call for those of the same length.
void GuidedModel::predict(const torch::Tensor &input, float t, const std::vector<Side *> &sides) const
{
    struct Asked {
        Row *row;
        torch::Tensor input;
    };
    std::vector<std::pair<std::int64_t, std::vector<Asked>>> groups;
    for (Side *side : sides)
        for (std::size_t picture = 0; picture < side->size(); ++picture)
            for (Row &row : (*side)[picture]) {
                const std::int64_t length = row.told.context.size(1);
                auto group = std::find_if(groups.begin(), groups.end(),
                                          [length](const auto &one) { return one.first == length; });
                if (group == groups.end()) group = groups.insert(groups.end(), {length, {}});
                group->second.push_back(
                    {&row, side->size() == 1 ? input : input.narrow(0, static_cast<std::int64_t>(picture), 1)});
            }
    for (auto &[length, asked] : groups) {
        std::vector<torch::Tensor> inputs;
        Conditioning told;
        for (const Asked &one : asked) {
            const Conditioning rows = one.row->told.expanded(one.input.size(0));
            told = inputs.empty() ? rows : Conditioning::join(told, rows);
            inputs.push_back(one.input);
        }
        const torch::Tensor made = call(inputs.size() == 1 ? inputs.front() : torch::cat(inputs), t, told);
        std::int64_t at = 0;
        for (const Asked &one : asked) {
            one.row->raw = made.narrow(0, at, one.input.size(0));
            at += one.input.size(0);
        }
    }
}

/// Whether this call goes without the unwanted half. The level is what the sampler walks: sigmas or timesteps, as in
/// A1111.
bool GuidedModel::leavesOut(float level, const Strength &strength) const
{
    const GuidanceOptions &options = m_guidance.options;
    const double share = options.calls > 0 ? static_cast<double>(m_calls) / static_cast<double>(options.calls) : 0;
    if (share < options.from || (options.until < 1 && share >= options.until)) return true;
    if (options.skipEarly > 0 && share <= options.skipEarly) return true;
    if (options.sMinUncond > 0 && level < options.sMinUncond && (options.everyCall || m_calls % 2 == 1)) return true;
    if (strength.needsBoth || strength.scale != 1) return false;
    return std::all_of(m_guidance.wanted.pictures.begin(), m_guidance.wanted.pictures.end(), [](const auto &parts) {
        double sum = 0;
        for (const Words::Part &part : parts)
            sum += part.weight;
        return std::abs(sum - 1) < kSameSum;
    });
}

/// The guided prediction with its spread moved towards that of the wanted one.
torch::Tensor GuidedModel::rescaled(const Rows &wanted, const torch::Tensor &without, double scale) const
{
    torch::Tensor guided = without, plain = without;
    for (const Row &row : wanted) {
        guided = guided + (row.raw - without) * (row.weight * scale);
        plain = plain + (row.raw - without) * row.weight;
    }
    const auto spread = [](const torch::Tensor &x) { return x.std({1, 2, 3}, /*unbiased=*/true, /*keepdim=*/true); };
    const double share = m_guidance.options.rescale;
    return guided * (spread(plain) / spread(guided) * share + (1 - share));
}

torch::Tensor GuidedModel::guided(const torch::Tensor &input, float t, float level, const Strength &strength,
                                  const Combine &combine) const
{
    const bool leaveOut = leavesOut(level, strength);
    Side wanted = sideOf(m_guidance.wanted), unwanted;
    if (!leaveOut) {
        unwanted = sideOf(m_guidance.unwanted);
        fillUp(wanted, unwanted);
    }
    predict(input, t, {&wanted, &unwanted});
    ++m_calls;
    std::vector<torch::Tensor> made, without;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto first = static_cast<std::int64_t>(i);
        torch::Tensor raw = wanted[i].front().raw;
        if (!leaveOut) raw = unwanted[std::min(i, unwanted.size() - 1)].front().raw;
        if (raw.size(0) != wanted[i].front().raw.size(0)) raw = raw.narrow(0, first, 1);
        const torch::Tensor base = combine(raw, first);
        const double scale = leaveOut ? 1 : strength.scale;
        torch::Tensor x = base;
        if (!leaveOut && m_guidance.options.rescale > 0)
            x = combine(rescaled(wanted[i], raw, scale), first);
        else if (leaveOut && wanted[i].size() == 1)
            x = base;  // the other way round, rounding would take a bit of it
        else
            for (const Row &row : wanted[i])
                x = x + (combine(row.raw, first) - base) * (row.weight * scale);
        made.push_back(x);
        without.push_back(base);
    }
    m_unwanted = without.size() == 1 ? without.front() : torch::cat(without);
    return made.size() == 1 ? made.front() : torch::cat(made);
}

torch::Tensor GuidedModel::x0(const torch::Tensor &x, float sigma) const
{
    const float scale = sigma * sigma + 1;
    return guided(x / std::sqrt(scale), m_levels.sigmaToT(sigma), sigma, {m_guidance.scale},
                  [&](const torch::Tensor &raw, std::int64_t first) {
                      const torch::Tensor seen = x.narrow(0, raw.size(0) == x.size(0) ? 0 : first, raw.size(0));
                      if (m_prediction == Prediction::Eps) return seen - raw * sigma;
                      return seen / scale - raw * (sigma / std::sqrt(scale));
                  });
}

torch::Tensor GuidedModel::toEps(const torch::Tensor &x, float t, const torch::Tensor &raw) const
{
    if (m_prediction == Prediction::Eps) return raw;
    const float alpha = m_levels.alphaCumprod(static_cast<std::size_t>(std::max(t, 0.0f)));
    return raw * std::sqrt(alpha) + x * std::sqrt(1 - alpha);
}

GuidedModel::Combine GuidedModel::epsOf(const torch::Tensor &x, float t) const
{
    return [this, &x, t](const torch::Tensor &raw, std::int64_t first) {
        return toEps(x.narrow(0, raw.size(0) == x.size(0) ? 0 : first, raw.size(0)), t, raw);
    };
}

torch::Tensor GuidedModel::eps(const torch::Tensor &x, float t) const
{
    return guided(x, t, t, {m_guidance.scale}, epsOf(x, t));
}

NoiseGuess GuidedModel::epsPair(const torch::Tensor &x, float t, double scaleShare) const
{
    const torch::Tensor made = guided(x, t, t, {m_guidance.scale * scaleShare, /*needsBoth=*/true}, epsOf(x, t));
    return {made, m_unwanted};
}

Denoiser GuidedModel::denoiser() const
{
    return {[this](const torch::Tensor &x, float sigma) { return x0(x, sigma); },
            [this](const torch::Tensor &x, float t) { return eps(x, t); },
            [this](const torch::Tensor &x, float t, double share) { return epsPair(x, t, share); }};
}

}  // namespace sg::sampling
