#pragma once

#include "core/modelfile/pickle.h"
#include "core/modelfile/tensor_index.h"

#include <string>
#include <utility>
#include <vector>

namespace sg {

/// The tensors of a pickle under the names of their containers' keys, and its numbers and short texts.
struct TorchNames {
    std::vector<std::pair<std::string, Pickle::Ref>> tensors;
    TensorIndex::Metadata metadata;
};

/// Errors  UnusableFile: no container at the top, nested deeper than 16, too many or too long names, a name twice.
Expected<TorchNames> torchNames(const Pickle &pickle);

}  // namespace sg
