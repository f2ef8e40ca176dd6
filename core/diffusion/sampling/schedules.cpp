#include "core/diffusion/sampling/schedules.h"

#include "core/base/error.h"
#include "core/diffusion/sampling/beta_quantile.h"
#include "core/diffusion/sampling/lcm_levels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>

namespace sg::sampling {
namespace {

constexpr double kKarrasRho = 7;
constexpr double kPolyexponentialRho = 1;

/// What a schedule is made from: the levels, as tensors, and the range to cover.
class Levels {
public:
    Levels(const DiscreteSchedule &levels, const ScheduleOptions &options) : m_schedule(levels), m_options(options)
    {
        if (options.lcm) {
            m_table = options.lcm->sigmas();
            m_logs = at::tensor(m_table).log();
            return;
        }
        for (std::size_t t = 0; t < levels.size(); ++t)
            m_table.push_back(levels.sigma(t));
        m_logs = at::tensor(levels.logSigmas());
    }

    const std::vector<float> &table() const { return m_table; }
    const ScheduleOptions &options() const { return m_options; }
    double low() const { return m_options.sigmaMin > 0 ? m_options.sigmaMin : static_cast<double>(m_table.front()); }
    double high() const { return m_options.sigmaMax > 0 ? m_options.sigmaMax : static_cast<double>(m_table.back()); }
    double rho(double own) const { return m_options.rho > 0 ? m_options.rho : own; }

    double timeOf(double sigma) const
    {
        const auto single = static_cast<float>(sigma);
        return static_cast<double>(m_options.lcm ? static_cast<float>(m_options.lcm->nearest(single))
                                                 : m_schedule.sigmaToT(single));
    }
    at::Tensor sigmasOf(at::Tensor times) const
    {
        if (m_options.lcm) {
            constexpr int kStride = LcmLevels::kStride;
            times = ((times - (kStride - 1)) / kStride).clamp(0, static_cast<double>(m_table.size() - 1));
        }
        const at::Tensor weight = times.frac();
        const auto at = [&](const at::Tensor &place) { return m_logs.index_select(0, place.to(at::kLong)); };
        return ((1 - weight) * at(times.floor()) + weight * at(times.ceil())).exp();
    }
    at::Tensor uniform(int steps) const
    {
        if (m_options.lcm)
            return sigmasOf(
                at::linspace(static_cast<double>(m_schedule.size() - 1), LcmLevels::kStride - 1, steps, at::kFloat));
        return sigmasOf(at::linspace(static_cast<double>(m_table.size() - 1), 0, steps, at::kFloat));
    }

private:
    const DiscreteSchedule &m_schedule;
    const ScheduleOptions &m_options;
    std::vector<float> m_table;
    at::Tensor m_logs;
};

at::Tensor karras(int steps, const Levels &levels)
{
    const double rho = levels.rho(kKarrasRho);
    const double low = std::pow(levels.low(), 1 / rho), high = std::pow(levels.high(), 1 / rho);
    return (high + at::linspace(0, 1, steps, at::kFloat) * (low - high)).pow(rho);
}

at::Tensor exponential(int steps, const Levels &levels)
{
    return at::linspace(std::log(levels.high()), std::log(levels.low()), steps, at::kFloat).exp();
}

at::Tensor polyexponential(int steps, const Levels &levels)
{
    const at::Tensor ramp = at::linspace(1, 0, steps, at::kFloat).pow(levels.rho(kPolyexponentialRho));
    return (ramp * (std::log(levels.high()) - std::log(levels.low())) + std::log(levels.low())).exp();
}

at::Tensor sgmUniform(int steps, const Levels &levels)
{
    const at::Tensor times =
        at::linspace(levels.timeOf(levels.high()), levels.timeOf(levels.low()), steps + 1, at::kFloat);
    return levels.sigmasOf(times.narrow(0, 0, steps));
}

at::Tensor normal(int steps, const Levels &levels)
{
    return levels.sigmasOf(at::linspace(levels.timeOf(levels.high()), levels.timeOf(levels.low()), steps, at::kFloat));
}

at::Tensor simple(int steps, const Levels &levels)
{
    const std::vector<float> &table = levels.table();
    std::vector<float> sigmas;
    for (int i = 0; i < steps; ++i)
        sigmas.push_back(
            table[table.size() - 1 - static_cast<std::size_t>(i * (static_cast<double>(table.size()) / steps))]);
    return at::tensor(sigmas);
}

at::Tensor ddim(int steps, const Levels &levels)
{
    const std::vector<float> &table = levels.table();
    std::vector<float> sigmas;
    const std::size_t stride = std::max<std::size_t>(table.size() / static_cast<std::size_t>(steps), 1);
    for (std::size_t t = 1; t < table.size(); t += stride)
        sigmas.insert(sigmas.begin(), table[t]);
    return at::tensor(sigmas);
}

/// Ends at the lowest level, with one value more than steps and no 0.
at::Tensor klOptimal(int steps, const Levels &levels)
{
    const at::Tensor share = at::arange(steps + 1, at::kFloat) / steps;
    // In single precision throughout, or Brownian noise is asked for elsewhere.
    const auto angle = [](double sigma) { return at::scalar_tensor(sigma, at::kFloat).atan(); };
    const at::Tensor low = angle(levels.low()), high = angle(levels.high());
    return (share * low + (1 - share) * high).tan();
}

at::Tensor alignYourSteps(int steps, const Levels &levels)
{
    static const std::vector<double> kSd1{14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029};
    static const std::vector<double> kSdxl{14.615, 6.315, 3.771, 2.181, 1.342, 0.862,
                                           0.555,  0.380, 0.234, 0.113, 0.029};
    const std::vector<double> &table = levels.options().sdxl ? kSdxl : kSd1;
    const auto last = static_cast<double>(table.size() - 1);
    std::vector<float> sigmas;
    for (int i = 0; i < steps; ++i) {
        // Counted from the low end, as there: a single step takes the lowest level.
        const double place = steps == 1 ? last : last - last * (steps - 1 - i) / (steps - 1);
        const auto before = static_cast<std::size_t>(std::min(std::floor(place), last - 1));
        const double share = place - static_cast<double>(before);
        sigmas.push_back(
            static_cast<float>(std::exp((1 - share) * std::log(table[before]) + share * std::log(table[before + 1]))));
    }
    return at::tensor(sigmas);
}

at::Tensor beta(int steps, const Levels &levels)
{
    std::vector<float> sigmas;
    for (int i = 0; i < steps; ++i) {
        const double share = steps == 1 ? 1 : 1 - static_cast<double>(i) / (steps - 1);
        const double place = betaQuantile(share, levels.options().betaAlpha, levels.options().betaBeta);
        sigmas.push_back(static_cast<float>(levels.low() + place * (levels.high() - levels.low())));
    }
    return at::tensor(sigmas);
}

using Maker = at::Tensor (*)(int, const Levels &);
const std::map<std::string_view, Maker> &makers()
{
    static const auto uniform = [](int steps, const Levels &levels) { return levels.uniform(steps); };
    static const std::map<std::string_view, Maker> list{{"automatic", uniform},
                                                        {"uniform", uniform},
                                                        {"karras", karras},
                                                        {"exponential", exponential},
                                                        {"polyexponential", polyexponential},
                                                        {"sgm_uniform", sgmUniform},
                                                        {"kl_optimal", klOptimal},
                                                        {"align_your_steps", alignYourSteps},
                                                        {"simple", simple},
                                                        {"normal", normal},
                                                        {"ddim", ddim},
                                                        {"beta", beta}};
    return list;
}

}  // namespace

std::vector<float> sigmasFor(std::string_view schedule, int steps, const DiscreteSchedule &levels,
                             const ScheduleOptions &options)
{
    const auto maker = makers().find(schedule);
    if (maker == makers().end())
        throw Failure{{ErrorCode::InvalidArgument, "unknown schedule \"" + std::string(schedule) + "\"", "scheduler"}};
    const at::Tensor made = maker->second(steps, Levels(levels, options)).contiguous();
    std::vector<float> sigmas(made.const_data_ptr<float>(), made.const_data_ptr<float>() + made.numel());
    if (schedule != "kl_optimal") sigmas.push_back(0);
    return sigmas;
}

std::vector<int> timestepsFor(int steps, const DiscreteSchedule &levels)
{
    const int count = static_cast<int>(levels.size());
    std::vector<int> timesteps;
    for (int t = 0; t < count; t += std::max(count / steps, 1))
        timesteps.push_back(std::min(t + 1, count - 1));
    // A1111's grid for one step has one entry and so no update: it would decode the noise and call it a picture.
    if (timesteps.size() == 1) timesteps.push_back(count - 1);
    return timesteps;
}

}  // namespace sg::sampling
