#pragma once

#include "core/base/image.h"

namespace sg::imaging {

/// The picture with the target's colours and its own lightness: histograms matched in OpenCV's 8-bit L*a*b*, then the
/// luminosity blend of the W3C's compositing rules. A1111's "colour correction". Shapes  RGB, RGB of any size -> RGB.
Image withColoursOf(const Image &picture, const Image &target);

}  // namespace sg::imaging
