#pragma once

#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sg::nn {

/// Size of dimension `axis` of tensor `name`. Errors  throws Failure UnusableFile when it is not there.
std::int64_t requireDim(const TensorIndex &index, const std::string &name, std::size_t axis);

/// The metadata's positive whole number, or `otherwise` when there is none. Errors  throws Failure UnusableFile.
std::int64_t metaInteger(const TensorIndex &index, std::string_view key, std::int64_t otherwise);

/// The metadata's finite positive number, or `otherwise`. Errors  throws Failure UnusableFile.
double metaNumber(const TensorIndex &index, std::string_view key, double otherwise);

/// Errors  throws Failure UnusableFile naming `what` unless `size` is a multiple of `part`.
void requireDivisible(std::int64_t size, std::int64_t part, std::string_view what);

}  // namespace sg::nn
