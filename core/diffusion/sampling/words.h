#pragma once

#include "core/diffusion/sampling/conditioning.h"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace sg::sampling {

/// What a prompt asks for: parts (those that AND joins), each with a weight and what the network is told at its n-th
/// call. One list for all pictures of a batch, or one for each.
struct Words {
    struct Part {
        double weight = 1;
        /// Asked once a call of the network, counted from 0; so what costs time can be made when it is needed.
        /// Shapes  one row, or one for each picture that the list is for.
        std::function<Conditioning(std::int64_t call)> at;
    };
    std::vector<std::vector<Part>> pictures;

    Words() = default;
    /// One part that stays the same.
    Words(Conditioning told)  // NOLINT(google-explicit-constructor): the plain case
        : pictures{{{1, [told = std::move(told)](std::int64_t) { return told; }}}}
    {
    }
};

}  // namespace sg::sampling
