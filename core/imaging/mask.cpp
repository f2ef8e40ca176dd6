#include "core/imaging/mask.h"

#include "core/imaging/composite.h"

#include <algorithm>
#include <cassert>

namespace sg::imaging {
namespace {

/// Grows [from, to) by `extra` on both sides and moves it into [0, size).
void grow(int &from, int &to, int extra, int size)
{
    from -= extra / 2;
    to += extra - extra / 2;
    if (to >= size) {
        const int beyond = to - size;
        to -= beyond;
        from -= beyond;
    }
    if (from < 0) {
        to -= from;
        from = 0;
    }
    if (to >= size) to = size;
}

}  // namespace

Image maskFromPicture(const Image &picture, bool round)
{
    const bool transparent = picture.channels == 4 && [&] {
        for (std::size_t i = 3; i < picture.pixels.size(); i += 4)
            if (picture.pixels[i] != 255) return true;
        return false;
    }();
    if (!transparent) return toGrey(picture);
    Image mask(picture.width, picture.height, 1);
    for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
        const std::uint8_t alpha = picture.pixels[i * 4 + 3];
        mask.pixels[i] = round ? (alpha > 128 ? 255 : 0) : alpha;
    }
    return mask;
}

Image inverted(const Image &mask)
{
    Image made = mask;
    for (std::uint8_t &value : made.pixels)
        value = static_cast<std::uint8_t>(255 - value);
    return made;
}

Image doubled(const Image &mask)
{
    Image made = mask;
    for (std::uint8_t &value : made.pixels)
        value = static_cast<std::uint8_t>(std::min(2 * value, 255));
    return made;
}

std::optional<Region> maskedRegion(const Image &mask, int padding)
{
    assert(mask.channels == 1);
    Region region{mask.width, mask.height, 0, 0};
    for (int y = 0; y < mask.height; ++y)
        for (int x = 0; x < mask.width; ++x) {
            if (mask.row(y)[x] == 0) continue;
            region = {std::min(region.left, x), std::min(region.top, y), std::max(region.right, x + 1),
                      std::max(region.bottom, y + 1)};
        }
    if (region.right == 0) return std::nullopt;
    return Region{std::max(region.left - padding, 0), std::max(region.top - padding, 0),
                  std::min(region.right + padding, mask.width), std::min(region.bottom + padding, mask.height)};
}

Region expandedTo(const Region &region, int width, int height, int imageWidth, int imageHeight)
{
    Region made = region;
    const double held = static_cast<double>(region.width()) / region.height();
    const double wanted = static_cast<double>(width) / height;
    if (held > wanted)
        grow(made.top, made.bottom, static_cast<int>(region.width() / wanted - region.height()), imageHeight);
    else
        grow(made.left, made.right, static_cast<int>(region.height() * wanted - region.width()), imageWidth);
    return made;
}

}  // namespace sg::imaging
