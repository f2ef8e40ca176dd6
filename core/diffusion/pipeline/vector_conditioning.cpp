#include "core/diffusion/pipeline/vector_conditioning.h"

#include "core/diffusion/nn/functions.h"

#include <vector>

namespace sg {

torch::Tensor vectorConditioning(const CheckpointConfig &config, const torch::Tensor &pooled, const PictureSizes &sizes,
                                 torch::ScalarType dtype)
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
