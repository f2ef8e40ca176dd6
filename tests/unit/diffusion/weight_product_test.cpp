// Products straight from a weight as it lies in its file, held against torch's own in double precision.
#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/weight_product.h"
#include "tests/support/check.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

namespace product = sg::nn::weight_product;
constexpr double kClose = 2e-6;  // of the largest value: what float32 leaves
constexpr torch::ScalarType kTypes[] = {torch::kFloat32, torch::kFloat16, torch::kBFloat16};

struct Matrix {
    std::int64_t rows, in, out;
};
// Fewer and more rows than what is multiplied together, one pass and several, and panels that fill no group of eight.
const std::vector<Matrix> kMatrices{{1, 8, 16},      {7, 24, 48},   {77, 768, 320},  {120, 1280, 16},
                                    {121, 400, 144}, {250, 40, 16}, {1021, 64, 160}, {2200, 16, 32}};

struct Convolution {
    std::int64_t batch, in, out, height, width, kernel, stride, padding;
};
const std::vector<Convolution> kConvolutions{{1, 8, 16, 1, 1, 3, 1, 1},    {2, 64, 48, 8, 8, 3, 1, 1},
                                             {2, 40, 32, 17, 9, 3, 2, 1},  {1, 24, 16, 18, 11, 3, 2, 0},
                                             {3, 136, 160, 7, 5, 1, 1, 0}, {1, 16, 16, 40, 40, 3, 1, 1},
                                             {2, 16, 16, 5, 6, 1, 2, 0}};

double difference(const torch::Tensor &a, const torch::Tensor &b)
{
    CHECK(a.sizes() == b.sizes());
    return ((a.to(torch::kFloat64) - b).abs().max() / b.abs().max()).item<double>();
}

torch::Tensor exact(const torch::Tensor &values)
{
    return values.to(torch::kFloat64);
}

}  // namespace

SG_CASE(rows_agree_with_torch)
{
    if (!sg::nn::kernels::available()) return;  // such a processor has only the other ways
    for (const Matrix &size : kMatrices)
        for (const torch::ScalarType type : kTypes) {
            const torch::Tensor x = at::randn({size.rows, size.in}), bias = at::randn({size.out});
            const torch::Tensor weight = at::randn({size.out, size.in}).to(type);
            CHECK(product::fits(x, weight));
            const torch::Tensor wanted = at::linear(exact(x), exact(weight), exact(bias));
            const torch::Tensor found = product::linear(x, weight, bias);
            CHECK(difference(found, wanted) < kClose);
            CHECK(difference(product::linear(x, weight, {}), at::linear(exact(x), exact(weight))) < kClose);
            CHECK(product::linear(x, weight.to(torch::kFloat32), bias).equal(found));  // in whatever type
            const torch::Tensor before = at::randn({size.rows, size.out});
            torch::Tensor sum = before.clone(), across = before.t().clone(at::MemoryFormat::Contiguous).t();
            product::addLinear(sum, x, weight, bias);
            CHECK(difference(sum, wanted + exact(before)) < kClose);
            product::addLinear(across, x, weight, bias);
            CHECK(difference(across, wanted + exact(before)) < kClose);
        }
}

SG_CASE(rows_may_have_any_shape)
{
    if (!sg::nn::kernels::available()) return;
    const torch::Tensor weight = at::randn({32, 16}).to(torch::kFloat16), bias = at::randn({32});
    const torch::Tensor across = at::randn({3, 16, 5}).transpose(1, 2);  // not contiguous
    CHECK(difference(product::linear(across, weight, bias), at::linear(exact(across), exact(weight), exact(bias))) <
          kClose);
    CHECK((product::linear(at::empty({2, 0, 16}), weight, bias).sizes() == at::IntArrayRef{2, 0, 32}));
    CHECK((product::linear(at::randn({16}), weight, bias).sizes() == at::IntArrayRef{32}));
}

// A part of a weight's rows, which begins anywhere in the file.
SG_CASE(parts_of_a_weight_are_enough)
{
    if (!sg::nn::kernels::available()) return;
    const torch::Tensor bytes = at::randn({1 + 64 * 40}).to(torch::kFloat16);
    const torch::Tensor weight = bytes.narrow(0, 1, 64 * 40).view({64, 40}).narrow(0, 16, 32), x = at::randn({9, 40});
    CHECK(difference(product::linear(x, weight, {}), at::linear(exact(x), exact(weight))) < kClose);
}

SG_CASE(convolutions_agree_with_torch)
{
    if (!sg::nn::kernels::available()) return;
    for (const Convolution &size : kConvolutions)
        for (const torch::ScalarType type : kTypes) {
            const torch::Tensor x = at::randn({size.batch, size.in, size.height, size.width}),
                                bias = at::randn({size.out});
            const torch::Tensor weight = at::randn({size.out, size.in, size.kernel, size.kernel}).to(type);
            CHECK(product::fits(x, weight));
            const torch::Tensor wanted = at::conv2d(exact(x), exact(weight), exact(bias), size.stride, size.padding);
            const torch::Tensor found = product::convolve(x, weight, bias, {}, size.stride, size.padding);
            CHECK(found.is_contiguous(at::MemoryFormat::ChannelsLast));
            CHECK(difference(found, wanted) < kClose);
            const torch::Tensor plus = at::randn(wanted.sizes());
            CHECK(difference(product::convolve(x.contiguous(at::MemoryFormat::ChannelsLast), weight, bias, plus,
                                               size.stride, size.padding),
                             wanted + exact(plus)) < kClose);
        }
}

SG_CASE(what_does_not_fit_is_refused)
{
    const torch::Tensor x = at::randn({4, 16}), weight = at::randn({32, 16});
    CHECK(product::fits(x, weight) == sg::nn::kernels::available());
    CHECK(!product::fits(x.to(torch::kFloat16), weight));
    CHECK(!product::fits(x, weight.to(torch::kFloat64)));
    CHECK(!product::fits(x, weight.narrow(0, 0, 24)));
    CHECK(!product::fits(x, at::randn({32, 12})));
    CHECK(!product::fits(x, at::randn({16, 32}).t()));
    CHECK(!product::fits(x, at::randn({32, 16, 2, 2})));
    CHECK(!product::fits(x, at::empty({0})));
}

// The functions that layers use also work where the product from the file does not.
SG_CASE(any_weight_can_be_multiplied_with)
{
    for (const std::int64_t in : {16, 12})
        for (const torch::ScalarType type : kTypes) {
            const torch::Tensor x = at::randn({5, in}), weight = at::randn({32, in}).to(type), bias = at::randn({32});
            const torch::Tensor wanted = at::linear(exact(x), exact(weight), exact(bias)), before = at::randn({5, 32});
            CHECK(difference(sg::nn::linear(x, weight, bias), wanted) < kClose);
            torch::Tensor sum = before.clone();
            sg::nn::addLinear(sum, x, weight, bias);
            CHECK(difference(sum, wanted + exact(before)) < kClose);
        }
}

SG_CASE(threads_and_other_rows_change_no_bit)
{
    if (!sg::nn::kernels::available()) return;
    const torch::Tensor x = at::randn({1300, 400}), weight = at::randn({48, 400}).to(torch::kFloat16),
                        bias = at::randn({48});
    at::set_num_threads(1);
    const torch::Tensor alone = product::linear(x, weight, bias);
    for (const int threads : {2, 3, 8}) {
        at::set_num_threads(threads);
        CHECK(product::linear(x, weight, bias).equal(alone));
    }
    at::set_num_threads(2);
    CHECK(product::linear(x.narrow(0, 100, 7), weight, bias).equal(alone.narrow(0, 100, 7)));
}
