#include "core/imaging/inpaint_area.h"

#include "core/imaging/blur.h"
#include "core/imaging/composite.h"
#include "core/imaging/resize_mode.h"

#include <utility>

namespace sg::imaging {
namespace {

/// Premultiplied; the masked part is transparent black.
Image cutOut(const Image &picture, const Image &mask)
{
    return mixed(Image(picture.width, picture.height, 4), premultiplied(toRgba(picture)), inverted(mask));
}

}  // namespace

Image filledFromSurroundings(const Image &picture, const Image &mask)
{
    // Radius and how often it is laid on: the wide ones first, so that the near ones lie above them.
    constexpr std::pair<double, int> kLayers[]{{256, 1}, {64, 1}, {16, 2}, {4, 4}, {2, 2}, {0, 1}};
    const Image cut = cutOut(picture, mask);
    Image made(picture.width, picture.height, 4);
    for (const auto &[radius, times] : kLayers) {
        const Image layer = unpremultiplied(gaussianBlur(cut, radius));
        for (int i = 0; i < times; ++i)
            made = over(made, layer);
    }
    return toRgb(made);
}

Image overlayOf(const Image &picture, const Image &mask)
{
    return unpremultiplied(cutOut(picture, mask));
}

Image withOverlay(const Image &drawn, const Image &overlay)
{
    return toRgb(over(toRgba(drawn), overlay));
}

Image withOverlay(const Image &drawn, const Image &overlay, const Region &region, const Larger &larger)
{
    Image ground(overlay.width, overlay.height, 4);
    paste(ground, toRgba(resized(drawn, ResizeMode::CropAndResize, region.width(), region.height(), larger)),
          region.left, region.top);
    return toRgb(over(ground, overlay));
}

}  // namespace sg::imaging
