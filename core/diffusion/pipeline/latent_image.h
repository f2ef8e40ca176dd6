#pragma once

#include "core/base/image.h"
#include "core/diffusion/pipeline/prepared_start.h"
#include "core/diffusion/pipeline/preview_budget.h"
#include "core/diffusion/vae/autoencoder.h"

#include <torch/types.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

namespace sg {

/// A decoded picture as bytes: clamped and cut off, not rounded, as A1111 does.
/// Shapes  [3, H, W]. Units  -1..1 -> 0..255.
Image toImage(const torch::Tensor &picture);

/// A guess of the picture without the autoencoder: a linear map of each latent pixel, enlarged for small pictures.
/// Shapes  latent [C, h, w] in the samplers' scale. `factors` is CheckpointConfig::latentToRgb; empty: Stable Diffusion
/// 1's. Source  A1111's "Approx cheap" (the numbers).
Image previewImage(const torch::Tensor &latent, const std::vector<std::array<float, 3>> &factors);

/// Previews that an autoencoder decodes, no more than PreviewBudget allows; none any more when memory is too short.
class DecodedPreviews {
public:
    /// Nothing when one now would take too much of the task's time. Shapes  latent [C, h, w].
    std::optional<Image> make(Autoencoder &vae, const torch::Tensor &latent);

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point m_start = Clock::now();
    PreviewBudget m_budget;
    bool m_over = false;  // one did not fit into memory
};

/// How far each latent pixel lies from where it was. Shapes  [C, h, w] both.
LatentPlane movedBetween(const torch::Tensor &before, const torch::Tensor &after);

}  // namespace sg
