#pragma once

#include <cstdint>

namespace sg::sampling {

/// Which part of a schedule a pass walks that begins with a picture.
/// Units  steps. The schedule is made for `total` steps and the last `walked` of them are made; none when it is 0.
struct ScheduleTail {
    std::int64_t total = 0;
    std::int64_t walked = 0;
};

/// As A1111 counts: normally the strength's share of the steps that were asked for (and one); `exact`, which hires fix
/// always is, makes the schedule longer so that exactly those steps are made. Strength 0 walks none: the picture stays.
ScheduleTail scheduleTail(std::int64_t asked, double strength, bool exact);

}  // namespace sg::sampling
