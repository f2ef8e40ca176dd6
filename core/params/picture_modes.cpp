#include "core/params/picture_modes.h"

#include <cmath>
#include <numbers>

namespace sg {

double Loopback::strengthOf(std::int64_t loop, double first) const
{
    if (loops <= 1) return first;
    const double progress = static_cast<double>(loop) / static_cast<double>(loops - 1);
    double share = progress;
    if (curve == "Aggressive") share = std::sin(progress * std::numbers::pi / 2);
    if (curve == "Lazy") share = 1 - std::cos(progress * std::numbers::pi / 2);
    return first + (finalStrength - first) * share;
}

}  // namespace sg
