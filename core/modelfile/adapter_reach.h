#pragma once

#include "core/modelfile/adapter_keys.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// A network of a checkpoint: what stands before its parameters' names in the canonical index.
struct AdaptedPrefix {
    AdapterNetwork network = AdapterNetwork::Unet;
    std::string prefix;
};

/// How many numbers of a checkpoint's weights and biases these adapters would change together, from headers alone.
std::uint64_t adaptedNumbers(const TensorIndex &checkpoint, const std::vector<AdaptedPrefix> &networks,
                             const std::vector<TensorIndex> &adapters);

}  // namespace sg
