#pragma once

#include "core/base/image.h"

#include <functional>

namespace sg::imaging {

/// How a start picture of another shape gets the size that was asked for. The numbers are A1111's resize_mode.
enum class ResizeMode {
    Stretch = 0,        ///< proportions are lost
    CropAndResize = 1,  ///< what stands out is cut off
    ResizeAndFill = 2,  ///< what is missing is filled with the edge's colours
    LatentUpscale = 3   ///< the picture keeps its size; its latents are stretched
};

/// An RGB picture at another size, some side of which is larger.
using Larger = std::function<Image(const Image &rgb, int width, int height)>;

/// Shapes  any channels -> RGB for CropAndResize and ResizeAndFill, else as given. Filter Lanczos, as A1111; where a
///         side becomes larger and there is `larger`, that for RGB pictures.
/// Errors  as resample(); throws Failure InvalidArgument for proportions so different that covering or filling would
///         take a picture of more than 2^28 pixels.
Image resized(const Image &image, ResizeMode mode, int width, int height, const Larger &larger = {});

}  // namespace sg::imaging
