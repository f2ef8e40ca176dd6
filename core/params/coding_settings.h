#pragma once

#include "core/params/param_values.h"

#include <cstdint>
#include <string>

namespace sg {

/// How pictures and latents become each other.
struct CodingSettings {
    bool wrapsAcross = false, wrapsDown = false;           ///< seamless: left meets right, top meets bottom
    std::string tiling = "Auto";                           ///< "Auto", "On", "Off"
    std::int64_t tileSize = 512;                           ///< pixels
    std::int64_t upscalerTile = 192, upscalerOverlap = 8;  ///< pixels; a tile of 0: whole pictures
    std::string previews = "Approx cheap";                 ///< show_progress_type

    static CodingSettings from(const ParamValues &values);
};

}  // namespace sg
