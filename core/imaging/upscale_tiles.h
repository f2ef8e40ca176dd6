#pragma once

#include "core/base/image.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace sg::imaging {

/// Makes an RGB picture `scale` times as large.
using Enlarge = std::function<Image(const Image &rgb)>;

/// Units  pixels before enlarging.
struct UpscaleTiles {
    int side = 192;   ///< 0: the whole picture at once
    int overlap = 8;  ///< less than a side
};

/// A picture that goes through the network, whole or in tiles, on the way to a larger one.
struct Enlarging {
    int width = 0, height = 0;  ///< of the picture
    int tileWidth = 0, tileHeight = 0;
    std::int64_t tiles = 0;
};

/// The whole of a picture from its tiles: each begins with a ramp over what lies left of it, then above it. A side that
/// is shorter than a tile is the right or lower part of one, the rest is black.
/// Source  A1111 1.10.1's grid as facts, byte for byte; sides of no more than the overlap, of which it makes nothing,
///         are a tile too.
Image enlargeInTiles(const Image &rgb, int scale, const UpscaleTiles &tiles, const Enlarge &enlarge);

/// What goes through the network to make a picture of width x height one of `toWidth` x `toHeight`, in order.
/// Errors  throws Failure InvalidArgument when that would make a side of more than 16384 pixels on the way.
std::vector<Enlarging> enlargingsTo(int width, int height, int toWidth, int toHeight, int scale,
                                    const UpscaleTiles &tiles);

/// At the size that is wanted: enlarged up to three times until it is large enough, then Lanczos. No larger picture,
/// no enlarging. Source  A1111's rule, as facts. Errors  as enlargingsTo().
Image enlargeTo(const Image &rgb, int width, int height, int scale, const UpscaleTiles &tiles, const Enlarge &enlarge);

}  // namespace sg::imaging
