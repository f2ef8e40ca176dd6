#include "core/diffusion/sampling/schedules.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace sg::sampling {
namespace {

constexpr double kKarrasRho = 7;

/// `count` numbers from `first` to `last`; a single one is `first`.
float spread(double first, double last, int index, int count)
{
    return static_cast<float>(count == 1 ? first : first + (last - first) * index / (count - 1));
}

float karras(float ramp, const DiscreteSchedule &levels)
{
    const double low = std::pow(static_cast<double>(levels.sigmaMin()), 1 / kKarrasRho);
    const double high = std::pow(static_cast<double>(levels.sigmaMax()), 1 / kKarrasRho);
    return static_cast<float>(std::pow(high + static_cast<double>(ramp) * (low - high), kKarrasRho));
}

}  // namespace

std::vector<float> sigmasFor(std::string_view schedule, int steps, const DiscreteSchedule &levels)
{
    std::vector<float> sigmas;
    for (int i = 0; i < steps; ++i) {
        if (schedule == "karras")
            sigmas.push_back(karras(spread(0, 1, i, steps), levels));
        else if (schedule == "exponential")
            sigmas.push_back(std::exp(spread(std::log(static_cast<double>(levels.sigmaMax())),
                                             std::log(static_cast<double>(levels.sigmaMin())), i, steps)));
        else if (schedule == "uniform" || schedule == "automatic")
            sigmas.push_back(levels.tToSigma(spread(static_cast<double>(levels.size() - 1), 0, i, steps)));
        else
            throw Failure{
                {ErrorCode::InvalidArgument, "unknown schedule \"" + std::string(schedule) + "\"", "scheduler"}};
    }
    sigmas.push_back(0);
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
