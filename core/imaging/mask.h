#pragma once

#include "core/base/image.h"

#include <optional>

namespace sg::imaging {

// Masks are grey pictures: 255 is drawn anew, 0 stays.

/// The mask that a picture means: its alpha, cut at 128 when `round`, if it has real transparency, otherwise its luma.
Image maskFromPicture(const Image &picture, bool round = true);
Image inverted(const Image &mask);
/// What an overlay of a whole picture hides: twice the mask, at most 255.
Image doubled(const Image &mask);

/// A part of a picture in whole pixels; right and bottom are outside.
struct Region {
    int left = 0, top = 0, right = 0, bottom = 0;
    int width() const { return right - left; }
    int height() const { return bottom - top; }
    bool operator==(const Region &) const = default;
};

/// The smallest part that holds every pixel above 0, with `padding` around it, cut at the picture's edges; nothing when
/// the mask is empty.
std::optional<Region> maskedRegion(const Image &mask, int padding);
/// The part made larger until it has the proportions of the size that will be drawn, moved so that it stays in the
/// picture.
Region expandedTo(const Region &region, int width, int height, int imageWidth, int imageHeight);

}  // namespace sg::imaging
