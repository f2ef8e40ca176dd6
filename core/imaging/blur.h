#pragma once

#include "core/base/image.h"

namespace sg::imaging {

/// Pillow's GaussianBlur, byte for byte: three box blurs in each direction, edges repeated. Radius in pixels, >= 0.
Image gaussianBlur(const Image &image, double radius);

/// The blur of A1111's inpainting masks: an 8-bit Gaussian of OpenCV with these standard deviations in pixels; 0 leaves
/// that direction as it is. Shapes  grey.
Image maskBlur(const Image &mask, double sigmaX, double sigmaY);

}  // namespace sg::imaging
