#pragma once

#include "core/modelfile/upscaler_file.h"

#include <cstdint>

namespace sg {

/// What a tile of so many pixels takes while its network runs. Units  bytes.
std::uint64_t upscalerBytes(const UpscalerConfig &config, std::int64_t height, std::int64_t width);

}  // namespace sg
