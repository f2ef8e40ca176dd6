#pragma once

#include "core/base/image.h"

#include <torch/types.h>

#include <array>
#include <vector>

namespace sg {

/// A decoded picture as bytes: clamped and cut off, not rounded, as A1111 does.
/// Shapes  [3, H, W]. Units  -1..1 -> 0..255.
Image toImage(const torch::Tensor &picture);

/// A guess of the picture without the autoencoder: a linear map of each latent pixel, enlarged for small pictures.
/// Shapes  latent [C, h, w] in the samplers' scale. `factors` is CheckpointConfig::latentToRgb; empty: Stable Diffusion
/// 1's. Source  A1111's "Approx cheap" (the numbers).
Image previewImage(const torch::Tensor &latent, const std::vector<std::array<float, 3>> &factors);

}  // namespace sg
