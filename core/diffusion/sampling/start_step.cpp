#include "core/diffusion/sampling/start_step.h"

#include <algorithm>

namespace sg::sampling {

ScheduleTail scheduleTail(std::int64_t asked, double strength, bool exact)
{
    if (strength <= 0) return {asked, 0};
    const double most = std::min(strength, 0.999);
    if (!exact) return {asked, static_cast<std::int64_t>(most * static_cast<double>(asked)) + 1};
    const auto total = static_cast<std::int64_t>(static_cast<double>(asked) / most);
    return {std::max(total, asked), asked};
}

}  // namespace sg::sampling
