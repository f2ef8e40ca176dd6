#include "core/imaging/resize_mode.h"

#include "core/base/error.h"
#include "core/imaging/composite.h"
#include "core/imaging/resample.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace sg::imaging {
namespace {

struct Size {
    int width, height;
};

/// The picture's size when it just covers the target, or just fits into it. Whole numbers, rounded down.
Size proportional(const Image &image, int width, int height, bool cover)
{
    const double wanted = static_cast<double>(width) / height;
    const double held = static_cast<double>(image.width) / image.height;
    const auto share = [](int a, int b, int c) {
        return static_cast<int>(std::min<std::int64_t>(static_cast<std::int64_t>(a) * b / c, INT32_MAX));
    };
    const bool byWidth = cover ? wanted > held : wanted < held;
    const bool byHeight = cover ? wanted <= held : wanted >= held;
    return {byWidth ? width : share(image.width, height, image.height),
            byHeight ? height : share(image.height, width, image.width)};
}

/// The bars beside or above and below a picture that was fitted in, from its outermost two lines.
void fillBars(Image &ground, const Image &fitted)
{
    const double w = fitted.width, h = fitted.height;
    if (fitted.height < ground.height && fitted.width == ground.width) {
        const int bar = ground.height / 2 - fitted.height / 2;
        if (bar <= 0) return;
        paste(ground, resample(fitted, ground.width, bar, Filter::Bicubic, {0, 0, w, 0}), 0, 0);
        paste(ground, resample(fitted, ground.width, bar, Filter::Bicubic, {0, h, w, h}), 0, bar + fitted.height);
    } else if (fitted.width < ground.width) {
        const int bar = ground.width / 2 - fitted.width / 2;
        if (bar <= 0) return;
        paste(ground, resample(fitted, bar, ground.height, Filter::Bicubic, {0, 0, 0, h}), 0, 0);
        paste(ground, resample(fitted, bar, ground.height, Filter::Bicubic, {w, 0, w, h}), bar + fitted.width, 0);
    }
}

Image scaledTo(const Image &image, int width, int height, const Larger &larger)
{
    if (larger && image.channels == 3 && (width > image.width || height > image.height))
        return larger(image, width, height);
    return resample(image, width, height, Filter::Lanczos);
}

}  // namespace

Image resized(const Image &image, ResizeMode mode, int width, int height, const Larger &larger)
{
    if (mode == ResizeMode::LatentUpscale) return image;
    if (mode == ResizeMode::Stretch) return scaledTo(image, width, height, larger);
    const Size size = proportional(image, width, height, mode == ResizeMode::CropAndResize);
    // Extreme proportions would make a picture of gigabytes, of which a strip is seen.
    constexpr std::int64_t kMostPixels = 1 << 28;
    if (static_cast<std::int64_t>(size.width) * size.height > kMostPixels)
        throw Failure{{ErrorCode::InvalidArgument,
                       "a start picture of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
                           " pixels is too narrow to cover " + std::to_string(width) + " x " + std::to_string(height),
                       "init_images"}};
    const Image scaled = scaledTo(toRgb(image), std::max(size.width, 1), std::max(size.height, 1), larger);
    Image made(width, height, 3);
    if (mode == ResizeMode::ResizeAndFill) fillBars(made, scaled);
    paste(made, scaled, width / 2 - scaled.width / 2, height / 2 - scaled.height / 2);
    return made;
}

}  // namespace sg::imaging
