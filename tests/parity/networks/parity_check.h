#pragma once

#include "core/diffusion/nn/layers.h"
#include "tests/support/check.h"

#include <torch/nn/module.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace sg::test {

inline constexpr double kParityTolerance = 1e-4;
using ParityError = std::function<double()>;  ///< max|ours - theirs| / max|theirs|, the largest over all outputs

// Softmax does not change when all of a row grow by the same, which is what a bias of the keys does.
inline bool isInvisible(const std::string &name, const std::vector<std::string> &unread)
{
    return name.ends_with("self_attn.k_proj.bias") || name.ends_with("mid.attn_1.k.bias") ||
           std::any_of(unread.begin(), unread.end(),
                       [&](const std::string &part) { return name.find(part) != std::string::npos; });
}

inline void scaleOne(nn::Leaf &leaf, std::size_t which, double factor)
{
    leaf.edit([&](const std::vector<nn::Leaf::Declared> &weights) { weights[which].parameter.mul_(factor); });
}

/// Whether the error is within tolerance, and is not with 1 % more of any one weight tensor. `unread`: parts of the
/// names of weights that the outputs do not depend on, which is checked too. `least`: weight tensors that there must
/// be.
inline void checkParity(const char *what, torch::nn::Module &module, const ParityError &error,
                        const std::vector<std::string> &unread = {}, double tolerance = kParityTolerance,
                        std::size_t least = 31)
{
    const double plain = error();
    std::printf("     %s: %.1e\n", what, plain);
    CHECK(plain <= tolerance);
    std::size_t seen = 0;
    for (const auto &entry : module.named_modules()) {
        auto *leaf = dynamic_cast<nn::Leaf *>(entry.value().get());
        if (!leaf) continue;
        for (std::size_t i = 0; i < leaf->declared().size(); ++i) {
            const std::string name = entry.key() + "." + leaf->declared()[i].name;
            scaleOne(*leaf, i, 1.01);
            const bool noticed = error() > tolerance;
            scaleOne(*leaf, i, 1 / 1.01);
            if (noticed == isInvisible(name, unread))
                failed(what, 0, "1 % more of " + name + " goes unnoticed, or not");
            ++seen;
        }
    }
    CHECK(seen == module.parameters().size());
    CHECK(seen >= least);
    CHECK_NEAR(error(), plain, 1e-5);  // the edits were taken back
}

}  // namespace sg::test
