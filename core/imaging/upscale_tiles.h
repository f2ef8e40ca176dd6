#pragma once

#include "core/base/image.h"

#include <functional>

namespace sg::imaging {

/// Makes an RGB picture `scale` times as large.
using Enlarge = std::function<Image(const Image &rgb)>;
inline constexpr int kUpscaleTile = 192, kUpscaleOverlap = 8;  ///< pixels before enlarging

/// The whole of a picture from its tiles: each begins with a ramp over what lies left of it, then above it. A side that
/// is shorter than a tile is a tile's. Source  A1111 1.10.1's grid as facts, byte for byte from 192 pixels on.
Image enlargeInTiles(const Image &rgb, int scale, const Enlarge &enlarge);

/// At the size that is wanted: enlarged up to three times until it is large enough, then Lanczos. No larger picture,
/// no enlarging. Source  A1111's rule, as facts.
/// Errors  throws Failure InvalidArgument when that would make a side of more than 16384 pixels on the way.
Image enlargeTo(const Image &rgb, int width, int height, int scale, const Enlarge &enlarge);

}  // namespace sg::imaging
