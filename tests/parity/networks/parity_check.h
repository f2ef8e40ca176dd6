#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <string>
#include <vector>

namespace sg::test {

inline constexpr double kParityTolerance = 1e-4;
using ParityError = std::function<double()>;  ///< max|ours - theirs| / max|theirs|, the largest over all outputs

/// Whether the error is within tolerance, and is not with 1 % more of any one weight tensor. `unread`: parts of the
/// names of weights that the outputs do not depend on, which is checked too.
void checkParity(const char *what, torch::nn::Module &module, const ParityError &error,
                 const std::vector<std::string> &unread = {}, double tolerance = kParityTolerance);

}  // namespace sg::test
