#pragma once

#include "core/diffusion/nn/mapped_file.h"
#include "core/modelfile/tensor_index.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::nn {

/// torch's name for the type of a file's tensor, when weights can have it.
std::optional<torch::ScalarType> weightType(DType type);

/// Where weights come from, and where and as what they are wanted.
struct WeightSource {
    const TensorIndex &index;
    std::vector<std::shared_ptr<const MappedFile>> files;  ///< as index.files()
    torch::Device device = torch::kCPU;
    torch::ScalarType dtype = torch::kFloat32;
    std::stop_token stop = {};
    std::function<void()> alive = {};  ///< called while a slow disk is waited for, and after each layer
};

/// What bind() did, summed over the networks of a file.
struct BindReport {
    std::set<std::string, std::less<>> used;  ///< keys of the file
    std::size_t bytes = 0;                    ///< of weights as they lie in memory, on whatever device
    std::size_t mapped = 0;                   ///< … what of it are pages of mapped files
};

/// Gives each Leaf of `module` its weights: the tensor under `prefix` + its name. No copy where type and device are
/// right already. Large half precision weights that are to be float32 on the CPU stay in the file; their layers
/// see to it. Others are converted at once.
/// Errors  throws Failure: UnusableFile for missing keys (the first five are named), wrong shapes and types that are no
///         weights; ModelChanged when the file was cut or replaced since its header was read; Cancelled.
void bind(torch::nn::Module &module, const std::string &prefix, const WeightSource &source, BindReport &report);

/// Keys that no network used.
struct UnusedKeys {
    std::vector<std::string> leftovers;  ///< of training: EMA copies, betas, position_ids …
    std::vector<std::string> unknown;
    /// A sentence for each list that is not empty; the first five unknown keys are named.
    std::vector<std::string> warnings() const;
};
UnusedKeys unusedKeys(const TensorIndex &index, const BindReport &report);

}  // namespace sg::nn
