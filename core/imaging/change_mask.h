#pragma once

#include "core/base/image.h"

#include <vector>

namespace sg::imaging {

/// How soft inpainting decides what of the start picture stays over the drawn one.
struct ChangeMaskOptions {
    double preservationStrength = 0.5;
    double maskInfluence = 0;          ///< 0: only the change counts, 1: the mask bends the threshold
    double differenceThreshold = 0.5;  ///< the change at which the start is half hidden
    double differenceContrast = 2;
};

/// 255 where the latents have changed so much that the drawn picture shows, 0 where the start does: the changes,
/// widened by a weighted maximum and smoothed by a weighted middle mean over 5 x 5 pixels, then a smooth threshold.
/// Shapes  changes: width x height of latentMask (grey), row by row. Source  A1111's soft inpainting, behaviour.
Image changeMask(const std::vector<float> &changes, const Image &latentMask, const ChangeMaskOptions &options);

}  // namespace sg::imaging
