#pragma once

#include "core/diffusion/nn/functions.h"
#include "core/diffusion/pipeline/checkpoint_config.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace sg {

/// What SDXL is told of a picture's size. Units  pixels, and a score of 1..10.
struct PictureSizes {
    std::int64_t height = 0, width = 0;  ///< of the picture that it would have been trained on
    std::int64_t cropTop = 0, cropLeft = 0;
    std::int64_t targetHeight = 0, targetWidth = 0;
    double aestheticScore = 6;
};

/// The pooled text with the sizes behind it; undefined where the network takes no vector.
/// Shapes  pooled [B, P] -> [B, vectorDim], float32. `dtype` is the network's: the numbers are rounded to it first, as
/// in A1111. Source  Podell et al. 2023, arXiv:2307.01952, section 2.2.
inline torch::Tensor vectorConditioning(const CheckpointConfig &config, const torch::Tensor &pooled,
                                        const PictureSizes &sizes, torch::ScalarType dtype)
{
    if (config.sizes == SizeNumbers::None) return {};
    std::vector<double> numbers{static_cast<double>(sizes.height), static_cast<double>(sizes.width),
                                static_cast<double>(sizes.cropTop), static_cast<double>(sizes.cropLeft)};
    if (config.sizes == SizeNumbers::Aesthetic) {
        numbers.push_back(sizes.aestheticScore);
    } else {
        numbers.push_back(static_cast<double>(sizes.targetHeight));
        numbers.push_back(static_cast<double>(sizes.targetWidth));
    }
    const torch::Tensor rounded = torch::tensor(numbers, torch::kDouble).to(dtype).to(pooled.device());
    const torch::Tensor waves = nn::sinusoids(rounded, config.sizeDim).reshape({1, -1});
    return torch::cat({pooled.to(torch::kFloat), waves.expand({pooled.size(0), -1})}, 1);
}

}  // namespace sg
