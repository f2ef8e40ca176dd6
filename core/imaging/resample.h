#pragma once

#include "core/base/image.h"

namespace sg::imaging {

enum class Filter { Nearest, Box, Bilinear, Hamming, Bicubic, Lanczos };

/// A part of a picture, in its pixels; edges may lie between pixels, and the part may be empty in one direction.
struct Box {
    double left = 0, top = 0, right = 0, bottom = 0;
    static Box all(const Image &image)
    {
        return {0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
    }
};

/// The picture, or a part of it, at another size. Equal to Pillow's resize byte for byte, because A1111's pictures are
/// made with it: separable, rows first, 22-bit coefficients, one rounding a pass; RGBA with its colours premultiplied.
/// Errors  throws Failure InvalidArgument when a size is below 1 or the part lies outside the picture.
Image resample(const Image &image, int width, int height, Filter filter);
Image resample(const Image &image, int width, int height, Filter filter, const Box &part);

}  // namespace sg::imaging
