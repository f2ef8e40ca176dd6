#include "core/imaging/composite.h"

#include <algorithm>
#include <cassert>

namespace sg::imaging {
namespace {

/// value / 255, rounded, for products of bytes.
std::uint32_t by255(std::uint32_t value)
{
    value += 128;
    return ((value >> 8) + value) >> 8;
}

std::uint8_t byte(std::uint32_t value)
{
    return static_cast<std::uint8_t>(value);
}

/// Applies `change(from, to)` to every pixel of `image`, for a result of `channels`.
template <class Change>
Image perPixel(const Image &image, int channels, Change change)
{
    Image made(image.width, image.height, channels);
    const auto in = static_cast<std::size_t>(image.channels), out = static_cast<std::size_t>(channels);
    const std::size_t count = made.pixels.size() / out;
    for (std::size_t i = 0; i < count; ++i)
        change(image.pixels.data() + i * in, made.pixels.data() + i * out);
    return made;
}

}  // namespace

Image premultiplied(const Image &rgba)
{
    assert(rgba.channels == 4);
    return perPixel(rgba, 4, [](const std::uint8_t *from, std::uint8_t *to) {
        for (int c = 0; c < 3; ++c)
            to[c] = byte(by255(std::uint32_t{from[c]} * from[3]));
        to[3] = from[3];
    });
}

Image unpremultiplied(const Image &rgba)
{
    assert(rgba.channels == 4);
    return perPixel(rgba, 4, [](const std::uint8_t *from, std::uint8_t *to) {
        const std::uint32_t alpha = from[3];
        for (int c = 0; c < 3; ++c)
            to[c] = alpha == 0 || alpha == 255 ? from[c] : byte(std::min(255U, 255U * from[c] / alpha));
        to[3] = from[3];
    });
}

Image toRgb(const Image &image)
{
    if (image.channels == 3) return image;
    const bool grey = image.channels == 1;
    return perPixel(image, 3, [grey](const std::uint8_t *from, std::uint8_t *to) {
        for (int c = 0; c < 3; ++c)
            to[c] = from[grey ? 0 : c];
    });
}

Image toRgba(const Image &image)
{
    if (image.channels == 4) return image;
    const bool grey = image.channels == 1;
    return perPixel(image, 4, [grey](const std::uint8_t *from, std::uint8_t *to) {
        for (int c = 0; c < 3; ++c)
            to[c] = from[grey ? 0 : c];
        to[3] = 255;
    });
}

Image toGrey(const Image &image)
{
    if (image.channels == 1) return image;
    return perPixel(image, 1, [](const std::uint8_t *from, std::uint8_t *to) {
        *to = byte((from[0] * 19595U + from[1] * 38470U + from[2] * 7471U + 0x8000U) >> 16);
    });
}

Image flattened(const Image &image, std::uint8_t red, std::uint8_t green, std::uint8_t blue)
{
    if (image.channels != 4) return toRgb(image);
    const std::uint8_t ground[3]{red, green, blue};
    return perPixel(image, 3, [&ground](const std::uint8_t *from, std::uint8_t *to) {
        for (int c = 0; c < 3; ++c)
            to[c] = byte(by255(std::uint32_t{ground[c]} * (255U - from[3]) + std::uint32_t{from[c]} * from[3]));
    });
}

Image over(const Image &below, const Image &above)
{
    assert(below.channels == 4 && above.channels == 4 && below.width == above.width && below.height == above.height);
    constexpr std::uint32_t kBits = 7;
    const auto shifted = [](std::uint32_t value) { return ((value >> 8) + value) >> 8; };
    Image made(below.width, below.height, 4);
    for (std::size_t i = 0; i < made.pixels.size(); i += 4) {
        const std::uint8_t *under = &below.pixels[i], *top = &above.pixels[i];
        std::uint8_t *to = &made.pixels[i];
        if (top[3] == 0) {
            std::copy_n(under, 4, to);
            continue;
        }
        const std::uint32_t alpha255 = top[3] * 255U + under[3] * (255U - top[3]);
        const std::uint32_t share = top[3] * 255U * 255U * (1U << kBits) / alpha255;
        const std::uint32_t rest = 255U * (1U << kBits) - share;
        for (int c = 0; c < 3; ++c)
            to[c] = byte(shifted(top[c] * share + under[c] * rest + (0x80U << kBits)) >> kBits);
        to[3] = byte(shifted(alpha255 + 0x80U));
    }
    return made;
}

Image mixed(const Image &outside, const Image &inside, const Image &mask)
{
    assert(outside.channels == inside.channels && mask.channels == 1);
    assert(outside.pixels.size() == inside.pixels.size() && mask.width == outside.width &&
           mask.height == outside.height);
    Image made(outside.width, outside.height, outside.channels);
    const auto channels = static_cast<std::size_t>(outside.channels);
    for (std::size_t i = 0; i < made.pixels.size(); ++i) {
        const std::uint32_t share = mask.pixels[i / channels];
        made.pixels[i] = byte(by255(outside.pixels[i] * (255U - share) + inside.pixels[i] * share));
    }
    return made;
}

void paste(Image &ground, const Image &picture, int left, int top)
{
    assert(ground.channels == picture.channels);
    const int fromX = std::max(0, -left), toX = std::min(picture.width, ground.width - left);
    if (fromX >= toX) return;
    const auto channels = static_cast<std::size_t>(ground.channels);
    for (int y = std::max(0, -top); y < std::min(picture.height, ground.height - top); ++y)
        std::copy_n(picture.row(y) + static_cast<std::size_t>(fromX) * channels,
                    static_cast<std::size_t>(toX - fromX) * channels,
                    ground.row(top + y) + static_cast<std::size_t>(left + fromX) * channels);
}

Image cropped(const Image &image, int left, int top, int width, int height)
{
    assert(left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height);
    Image made(width, height, image.channels);
    paste(made, image, -left, -top);
    return made;
}

}  // namespace sg::imaging
