#pragma once

#include "core/params/param_values.h"

#include <cstdint>

namespace sg {

/// The size of hires fix's second pass, as A1111 computes it.
/// Units  pixels
struct HiresSize {
    std::int64_t width = 0, height = 0;      ///< of the result: multiples of 8
    std::int64_t upWidth = 0, upHeight = 0;  ///< that the first pass's picture is brought to before it is cut
    bool fromScale = true;                   ///< hr_scale decides, not hr_resize_x and hr_resize_y

    static HiresSize of(const ParamValues &values);
    static HiresSize of(std::int64_t width, std::int64_t height, double scale, std::int64_t resizeX,
                        std::int64_t resizeY);
};

}  // namespace sg
