#include "core/imaging/blur.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

namespace sg::imaging {
namespace {

constexpr int kPasses = 3;

/// The box radius whose repeated blur comes nearest to the Gaussian: whole pixels and the share of the next one.
float boxRadius(float sigma)
{
    const float variance = sigma * sigma / kPasses;
    const float length = std::sqrt(12.0F * variance + 1.0F);
    const float whole = std::floor((length - 1.0F) / 2.0F);
    const float share =
        (2 * whole + 1) * (whole * (whole + 1) - 3.0F * variance) / (6 * (variance - (whole + 1) * (whole + 1)));
    return whole + share;
}

/// A box of 2 * radius + 1 whole pixels and two partial ones, along one line.
struct LineBlur {
    explicit LineBlur(float size)
        : radius(static_cast<int>(size)), whole(static_cast<std::uint32_t>((1 << 24) / (size * 2 + 1))),
          partial(((1U << 24) - (static_cast<std::uint32_t>(radius) * 2 + 1) * whole) / 2)
    {
    }
    void run(const std::uint8_t *from, std::uint8_t *to, int length, int step) const
    {
        const auto at = [&](int x) { return std::uint32_t{from[std::clamp(x, 0, length - 1) * step]}; };
        std::uint32_t sum = 0;
        for (int x = -radius; x <= radius; ++x)
            sum += at(x);
        for (int x = 0; x < length; ++x) {
            const std::uint32_t weighed = sum * whole + (at(x - radius - 1) + at(x + radius + 1)) * partial;
            to[x * step] = static_cast<std::uint8_t>((weighed + (1U << 23)) >> 24);
            sum += at(x + radius + 1) - at(x - radius);
        }
    }
    int radius;
    std::uint32_t whole, partial;  // 24-bit fixed point
};

void blurRows(Image &image, const LineBlur &blur)
{
    std::vector<std::uint8_t> line(image.stride());
    for (int y = 0; y < image.height; ++y)
        for (int pass = 0; pass < kPasses; ++pass) {
            std::copy_n(image.row(y), line.size(), line.data());
            for (int c = 0; c < image.channels; ++c)
                blur.run(line.data() + c, image.row(y) + c, image.width, image.channels);
        }
}

Image transposed(const Image &image)
{
    Image made(image.height, image.width, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
            std::copy_n(image.row(y) + static_cast<std::size_t>(x) * channels, channels,
                        made.row(x) + static_cast<std::size_t>(y) * channels);
    return made;
}

int kernelSize(double sigma)
{
    return 2 * static_cast<int>(2.5 * sigma + 0.5) + 1;
}

}  // namespace

Image gaussianBlur(const Image &image, double radius)
{
    if (radius <= 0 || image.empty()) return image;
    const LineBlur blur(boxRadius(static_cast<float>(radius)));
    Image made = image;
    blurRows(made, blur);
    made = transposed(made);
    blurRows(made, blur);
    return transposed(made);
}

Image maskBlur(const Image &mask, double sigmaX, double sigmaY)
{
    assert(mask.channels == 1);
    Image made = mask;
    cv::Mat view(made.height, made.width, CV_8UC1, made.pixels.data());
    // In two passes, as A1111 does: each rounds to bytes.
    if (sigmaX > 0) cv::GaussianBlur(view, view, {kernelSize(sigmaX), 1}, sigmaX);
    if (sigmaY > 0) cv::GaussianBlur(view, view, {1, kernelSize(sigmaY)}, sigmaY);
    return made;
}

}  // namespace sg::imaging
