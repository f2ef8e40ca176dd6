#include "core/imaging/resample.h"

#include "core/base/error.h"
#include "core/imaging/composite.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

namespace sg::imaging {
namespace {

constexpr int kPrecision = 32 - 8 - 2;

double sinc(double x)
{
    if (x == 0) return 1;
    x *= std::numbers::pi;
    return std::sin(x) / x;
}

double bicubic(double x)
{
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

double weightAt(Filter filter, double x)
{
    switch (filter) {
    case Filter::Box:
        return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::Bilinear:
        return std::max(0.0, 1 - std::abs(x));
    case Filter::Hamming:
        if (x == 0) return 1;
        return std::abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * std::cos(std::numbers::pi * x));
    case Filter::Bicubic:
        return bicubic(x);
    case Filter::Lanczos:
        return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case Filter::Nearest:
        break;
    }
    return 0;
}

double supportOf(Filter filter)
{
    switch (filter) {
    case Filter::Box:
        return 0.5;
    case Filter::Bicubic:
        return 2;
    case Filter::Lanczos:
        return 3;
    default:
        return 1;
    }
}

/// Which pixels of a line make one pixel of the result, and how much of each.
struct Taps {
    int first = 0;
    std::vector<std::int32_t> weights;  // fixed point, kPrecision bits
};

std::vector<Taps> tapsFor(int inSize, double from, double to, int outSize, Filter filter)
{
    const double scale = (to - from) / outSize;
    const double stretch = std::max(scale, 1.0);
    const double support = supportOf(filter) * stretch;
    std::vector<Taps> all(static_cast<std::size_t>(outSize));
    std::vector<double> weights;
    for (int i = 0; i < outSize; ++i) {
        const double centre = from + (i + 0.5) * scale;
        const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
        const int last = std::min(static_cast<int>(centre + support + 0.5), inSize);
        weights.clear();
        double sum = 0;
        for (int x = first; x < last; ++x) {
            weights.push_back(weightAt(filter, (x - centre + 0.5) / stretch));
            sum += weights.back();
        }
        Taps &taps = all[static_cast<std::size_t>(i)];
        taps.first = first;
        for (const double weight : weights) {
            const double fixed = (sum != 0 ? weight / sum : weight) * (1 << kPrecision);
            taps.weights.push_back(static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
        }
    }
    return all;
}

std::uint8_t clip(std::int32_t sum)
{
    return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255));
}

Image resampleRows(const Image &image, const std::vector<Taps> &taps)
{
    Image made(static_cast<int>(taps.size()), image.height, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    for (int y = 0; y < image.height; ++y) {
        const std::uint8_t *from = image.row(y);
        std::uint8_t *to = made.row(y);
        for (const Taps &tap : taps) {
            for (std::size_t c = 0; c < channels; ++c) {
                std::int32_t sum = 1 << (kPrecision - 1);
                const std::uint8_t *at = from + static_cast<std::size_t>(tap.first) * channels + c;
                for (std::size_t k = 0; k < tap.weights.size(); ++k)
                    sum += at[k * channels] * tap.weights[k];
                *to++ = clip(sum);
            }
        }
    }
    return made;
}

Image resampleColumns(const Image &image, const std::vector<Taps> &taps)
{
    Image made(image.width, static_cast<int>(taps.size()), image.channels);
    std::vector<std::int32_t> sums(image.stride());
    for (int y = 0; y < made.height; ++y) {
        const Taps &tap = taps[static_cast<std::size_t>(y)];
        std::fill(sums.begin(), sums.end(), 1 << (kPrecision - 1));
        for (std::size_t k = 0; k < tap.weights.size(); ++k) {
            const std::uint8_t *from = image.row(tap.first + static_cast<int>(k));
            for (std::size_t x = 0; x < sums.size(); ++x)
                sums[x] += from[x] * tap.weights[k];
        }
        std::transform(sums.begin(), sums.end(), made.row(y), clip);
    }
    return made;
}

/// Positions are summed up and not multiplied out, as Pillow does: the two differ where a position is a whole number.
std::vector<int> nearestPositions(int inSize, double from, double to, int outSize)
{
    const double step = (to - from) / outSize;
    double at = from + step * 0.5;
    std::vector<int> positions;
    for (int i = 0; i < outSize; ++i, at += step)
        positions.push_back(std::min(static_cast<int>(at), inSize - 1));
    return positions;
}

Image pickNearest(const Image &image, int width, int height, const Box &part)
{
    const std::vector<int> columns = nearestPositions(image.width, part.left, part.right, width);
    const std::vector<int> rows = nearestPositions(image.height, part.top, part.bottom, height);
    Image made(width, height, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    for (int y = 0; y < height; ++y) {
        const std::uint8_t *from = image.row(rows[static_cast<std::size_t>(y)]);
        std::uint8_t *to = made.row(y);
        for (const int column : columns)
            to = std::copy_n(from + static_cast<std::size_t>(column) * channels, channels, to);
    }
    return made;
}

void requireSizes(const Image &image, int width, int height, const Box &part)
{
    const bool inside = part.left >= 0 && part.top >= 0 && part.left <= part.right && part.top <= part.bottom &&
                        part.right <= image.width && part.bottom <= image.height;
    if (image.empty() || width < 1 || height < 1 || !inside)
        throw Failure{{ErrorCode::InvalidArgument,
                       "cannot make a picture of " + std::to_string(width) + "x" + std::to_string(height) +
                           " from a part of one of " + std::to_string(image.width) + "x" + std::to_string(image.height),
                       {}}};
}

}  // namespace

Image resample(const Image &image, int width, int height, Filter filter)
{
    return resample(image, width, height, filter, Box::all(image));
}

Image resample(const Image &image, int width, int height, Filter filter, const Box &part)
{
    requireSizes(image, width, height, part);
    const bool rows = width != image.width || part.left != 0 || part.right != image.width;
    const bool columns = height != image.height || part.top != 0 || part.bottom != image.height;
    if (!rows && !columns) return image;
    if (filter == Filter::Nearest) return pickNearest(image, width, height, part);
    if (image.channels == 4) {
        Image plain = premultiplied(image);
        if (rows) plain = resampleRows(plain, tapsFor(image.width, part.left, part.right, width, filter));
        if (columns) plain = resampleColumns(plain, tapsFor(image.height, part.top, part.bottom, height, filter));
        return unpremultiplied(plain);
    }
    if (!rows) return resampleColumns(image, tapsFor(image.height, part.top, part.bottom, height, filter));
    const Image wide = resampleRows(image, tapsFor(image.width, part.left, part.right, width, filter));
    if (!columns) return wide;
    return resampleColumns(wide, tapsFor(image.height, part.top, part.bottom, height, filter));
}

}  // namespace sg::imaging
