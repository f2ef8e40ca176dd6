#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace sg::sampling {

/// What a network is told besides the noisy picture and its level. What a family does not use stays undefined.
/// Shapes  context [N, L, W], one row a token; vector [N, V], of the whole prompt and of sizes; concat [N, C, H, W],
/// the
///         channels that inpainting and editing models see after the latent's own.
struct Conditioning {
    torch::Tensor context;
    torch::Tensor vector;
    torch::Tensor concat;

    /// Each part defined in both, one after the other along N; parts that are undefined stay so.
    static Conditioning join(const Conditioning &first, const Conditioning &second)
    {
        const auto both = [](const torch::Tensor &a, const torch::Tensor &b) {
            return a.defined() ? torch::cat({a, b}) : a;
        };
        return {both(first.context, second.context), both(first.vector, second.vector),
                both(first.concat, second.concat)};
    }

    /// Of one picture, for `batch` of them: a view.
    Conditioning expanded(std::int64_t batch) const
    {
        const auto rows = [batch](const torch::Tensor &t) {
            if (!t.defined() || t.size(0) == batch) return t;
            std::vector<std::int64_t> sizes(static_cast<std::size_t>(t.dim()), -1);
            sizes.front() = batch;
            return t.expand(sizes);
        };
        return {rows(context), rows(vector), rows(concat)};
    }

    Conditioning to(torch::ScalarType dtype) const
    {
        const auto typed = [dtype](const torch::Tensor &t) { return t.defined() ? t.to(dtype) : t; };
        return {typed(context), typed(vector), typed(concat)};
    }
};

}  // namespace sg::sampling
