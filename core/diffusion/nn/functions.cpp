#include "core/diffusion/nn/functions.h"

#include "core/diffusion/nn/weight_product.h"

#include <cmath>

namespace sg::nn {
namespace {

constexpr double kLongestPeriod = 10000;

}  // namespace

torch::Tensor attention(const torch::Tensor &q, const torch::Tensor &k, const torch::Tensor &v, std::int64_t heads,
                        bool causal)
{
    const auto split = [heads](const torch::Tensor &x) {
        return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
    };
    const torch::Tensor y = at::scaled_dot_product_attention(split(q), split(k), split(v), {}, 0.0, causal);
    return y.transpose(1, 2).reshape(q.sizes());
}

torch::Tensor sinusoids(const torch::Tensor &numbers, std::int64_t width)
{
    const std::int64_t half = width / 2;
    const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(numbers.device());
    const torch::Tensor rates =
        at::exp(at::arange(half, options).mul_(-std::log(kLongestPeriod) / static_cast<double>(half)));
    const torch::Tensor angles = numbers.to(torch::kFloat32).unsqueeze(1) * rates;
    torch::Tensor waves = at::cat({at::cos(angles), at::sin(angles)}, 1);
    return width % 2 ? at::constant_pad_nd(waves, {0, 1}) : waves;
}

torch::Tensor tokensOf(const torch::Tensor &x)
{
    return x.permute({0, 2, 3, 1}).flatten(1, 2);
}

torch::Tensor imageOf(const torch::Tensor &tokens, std::int64_t height, std::int64_t width)
{
    return tokens.view({tokens.size(0), height, width, tokens.size(2)}).permute({0, 3, 1, 2});
}

torch::Tensor linear(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias)
{
    if (weight_product::fits(x, weight)) return weight_product::linear(x, weight, bias);
    return at::linear(x, weight.to(x.scalar_type()), bias);
}

void addLinear(torch::Tensor &sum, const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias)
{
    if (weight_product::fits(x, weight)) return weight_product::addLinear(sum, x, weight, bias);
    if (bias.defined()) sum.add_(bias);
    sum.view({-1, sum.size(-1)}).addmm_(x.reshape({-1, x.size(-1)}), weight.to(x.scalar_type()).t());
}

}  // namespace sg::nn
