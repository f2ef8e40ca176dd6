#include "core/params/hires_size.h"

namespace sg {

HiresSize HiresSize::of(std::int64_t width, std::int64_t height, double scale, std::int64_t resizeX,
                        std::int64_t resizeY)
{
    HiresSize size;
    size.fromScale = resizeX == 0 && resizeY == 0;
    if (size.fromScale) {
        size.upWidth = static_cast<std::int64_t>(static_cast<double>(width) * scale);
        size.upHeight = static_cast<std::int64_t>(static_cast<double>(height) * scale);
    } else if (resizeY == 0) {
        size.upWidth = resizeX;
        size.upHeight = resizeX * height / width;
    } else if (resizeX == 0) {
        size.upWidth = resizeY * width / height;
        size.upHeight = resizeY;
    } else if (width * resizeY < resizeX * height) {
        // Both are given: the picture covers the target and is cut.
        size.upWidth = resizeX;
        size.upHeight = resizeX * height / width;
    } else {
        size.upWidth = resizeY * width / height;
        size.upHeight = resizeY;
    }
    const bool cut = resizeX != 0 && resizeY != 0;
    const auto drawn = [cut](std::int64_t up, std::int64_t target) {
        return (up / 8 - (cut ? (up - target) / 8 : 0)) * 8;
    };
    size.width = drawn(size.upWidth, resizeX);
    size.height = drawn(size.upHeight, resizeY);
    return size;
}

HiresSize HiresSize::of(const ParamValues &values)
{
    return of(values.get<std::int64_t>("width"), values.get<std::int64_t>("height"), values.get<double>("hr_scale"),
              values.get<std::int64_t>("hr_resize_x"), values.get<std::int64_t>("hr_resize_y"));
}

}  // namespace sg
