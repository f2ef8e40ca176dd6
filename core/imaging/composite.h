#pragma once

#include "core/base/image.h"

#include <cstdint>

namespace sg::imaging {

// Arithmetic with alpha, equal to Pillow's byte for byte. RGBA has straight alpha unless "premultiplied" is said.

Image premultiplied(const Image &rgba);
Image unpremultiplied(const Image &rgba);

/// Grey, RGB or RGBA as RGB; transparency is dropped, not flattened.
Image toRgb(const Image &image);
/// Grey or RGB becomes opaque.
Image toRgba(const Image &image);
/// Luma of ITU-R 601.
Image toGrey(const Image &image);
/// A picture with transparency on a ground of one colour; others as RGB.
Image flattened(const Image &image, std::uint8_t red, std::uint8_t green, std::uint8_t blue);

/// `above` over `below`, both RGBA of one size.
Image over(const Image &below, const Image &above);
/// Where the mask (grey) is 255 `inside`, where it is 0 `outside`; all of one size, pictures of as many channels.
Image mixed(const Image &outside, const Image &inside, const Image &mask);
/// Puts a picture at a place; what lies outside is cut off. Same number of channels.
void paste(Image &ground, const Image &picture, int left, int top);
/// The part of a picture. The box must lie inside.
Image cropped(const Image &image, int left, int top, int width, int height);

}  // namespace sg::imaging
