#include "core/diffusion/upscale/upscaler_bytes.h"

#include <algorithm>

namespace sg {

std::uint64_t upscalerBytes(const UpscalerConfig &config, std::int64_t height, std::int64_t width)
{
    const std::int64_t pixels = height * width, large = pixels * config.scale * config.scale;
    std::int64_t numbers = 0;
    if (config.kind == UpscalerKind::Compact) {
        numbers = std::max(pixels * 2 * config.features, pixels * config.features + 3 * large) + 6 * large;
    } else {
        constexpr std::int64_t kGrown = 4;  // of a dense block's five layers, whose outputs stay for the next
        const std::int64_t seen = pixels / (config.shuffle * config.shuffle);
        const std::int64_t dense = config.features + kGrown * config.growth;
        numbers = std::max(seen * (4 * config.features + 2 * dense), large * (2 * config.features + 3));
    }
    return static_cast<std::uint64_t>(numbers) * sizeof(float);
}

}  // namespace sg
