#pragma once

#include "core/base/image.h"
#include "core/base/json.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sg {

/// What of a task's work somebody wants to see (docs/protocol.md, inspect).
struct Inspection {
    std::vector<std::int64_t> steps;   ///< 1…; empty: all
    bool latents = false;              ///< what each step leaves, and the network's x0
    std::vector<std::string> modules;  ///< beginnings of the UNet's module names: statistics of what those give
    std::optional<std::int64_t> token;  ///< row of the prompt whose attention is to be drawn

    bool wantsStep(std::int64_t step) const
    {
        return steps.empty() || std::find(steps.begin(), steps.end(), step) != steps.end();
    }
};

/// Most that one task shows of each kind, and of bytes of latents; then it is said once that there is more.
inline constexpr std::size_t kMaxFindings = 4096;
inline constexpr std::size_t kMaxLatentBytes = 64u << 20;

/// One thing that was seen.
struct Finding {
    std::string type;     ///< "latents", "tensor", "attention": the event's
    Json facts;           ///< its fields
    std::string payload;  ///< "latents": a safetensors file
    Image picture;        ///< "attention": grey
};

}  // namespace sg
