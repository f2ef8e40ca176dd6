#pragma once

#include "core/base/image.h"
#include "core/imaging/mask.h"
#include "core/imaging/resize_mode.h"

namespace sg::imaging {

/// The masked part painted over with the colours around it, wider and wider blurred. Shapes  RGB or RGBA, grey -> RGB.
Image filledFromSurroundings(const Image &picture, const Image &mask);

/// What lies over the drawn picture so that the unmasked part is the given one to the byte.
/// Shapes  RGB or RGBA, grey -> RGBA, whose alpha is 0 where the mask is 255.
Image overlayOf(const Image &picture, const Image &mask);

/// The drawn picture, brought to the region's size, put back in its place, under the overlay. Returns RGB.
Image withOverlay(const Image &drawn, const Image &overlay);
Image withOverlay(const Image &drawn, const Image &overlay, const Region &region, const Larger &larger = {});

}  // namespace sg::imaging
