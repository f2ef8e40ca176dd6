// The CPU's ways to convolve, held against torch's own convolution in double precision.
#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/layers.h"
#include "core/diffusion/nn/matrix_kernels.h"
#include "core/diffusion/nn/weight_product.h"
#include "core/diffusion/nn/winograd.h"
#include "core/diffusion/nn/wrap.h"
#include "tests/support/check.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace {

namespace winograd = sg::nn::winograd;
constexpr double kClose = 1e-5;  // of the largest value: what float32 and Winograd's transforms leave

struct Sizes {
    std::int64_t batch, in, out, height, width;
};
// Edges that are no multiple of a tile of 4x4, few and many tiles, and both numbers of outputs: less and more than what
// is multiplied at a time.
const std::vector<Sizes> kFitting{{1, 32, 32, 48, 48}, {2, 40, 48, 31, 35}, {3, 136, 80, 29, 26},
                                  {1, 64, 32, 2, 600}, {2, 416, 48, 8, 8},  {1, 32, 32, 5, 7}};
// Too few tiles, too few channels, channels that fill no register or panel.
const std::vector<Sizes> kOthers{
    {2, 32, 32, 4, 4}, {1, 16, 32, 16, 16}, {1, 4, 32, 48, 48}, {1, 36, 32, 48, 48}, {1, 32, 40, 48, 48}};
constexpr torch::ScalarType kTypes[] = {torch::kFloat32, torch::kFloat16, torch::kBFloat16};

torch::Tensor picture(const Sizes &sizes)
{
    return at::silu(at::randn({sizes.batch, sizes.in, sizes.height, sizes.width}))
        .contiguous(at::MemoryFormat::ChannelsLast);
}

double difference(const torch::Tensor &a, const torch::Tensor &b)
{
    CHECK(a.sizes() == b.sizes());
    const torch::Tensor wanted = b.to(torch::kFloat64);
    return ((a.to(torch::kFloat64) - wanted).abs().max() / wanted.abs().max()).item<double>();
}

torch::Tensor direct(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias)
{
    return at::conv2d(x.to(torch::kFloat64), weight.to(torch::kFloat64), bias.to(torch::kFloat64), 1, 1);
}

struct Layer {
    explicit Layer(const Sizes &sizes)
        : conv(sg::nn::Conv2dImpl::Shape{sizes.in, sizes.out}),
          weight(at::randn({sizes.out, sizes.in, 3, 3}).div_(std::sqrt(9.0 * static_cast<double>(sizes.in)))),
          bias(at::randn({sizes.out}))
    {
        conv->edit([&](const auto &declared) {
            torch::Tensor(declared[0].parameter).set_data(weight.clone());
            torch::Tensor(declared[1].parameter).set_data(bias.clone());
        });
    }
    torch::Tensor held()
    {
        torch::Tensor found;
        conv->edit([&](const auto &declared) { found = declared[0].parameter.clone(); });
        return found;
    }
    sg::nn::Conv2d conv;
    torch::Tensor weight, bias;
};

}  // namespace

SG_CASE(winograd_agrees_with_a_direct_convolution)
{
    if (!sg::nn::kernels::available()) return;  // such a processor has only the other ways
    for (const Sizes &sizes : kFitting)
        for (const torch::ScalarType type : kTypes) {
            const Layer layer(sizes);
            const torch::Tensor x = picture(sizes), weight = layer.weight.to(type);
            CHECK(winograd::fits(x, weight));
            const torch::Tensor wanted = direct(x, weight, layer.bias);
            const torch::Tensor plus = at::randn(wanted.sizes());
            const torch::Tensor found = winograd::convolve(x, weight, layer.bias);
            CHECK(found.is_contiguous(at::MemoryFormat::ChannelsLast));
            CHECK(difference(found, wanted) < kClose);
            CHECK(difference(winograd::convolve(x, weight, layer.bias, plus), wanted + plus) < kClose);
            CHECK(difference(winograd::convolve(x.contiguous(), weight, layer.bias), wanted) < kClose);
            CHECK(winograd::convolve(x, weight, layer.bias).equal(found));  // the same bits each time,
            CHECK(winograd::convolve(x, weight.to(torch::kFloat32), layer.bias).equal(found));  // in whatever type
        }
}

SG_CASE(winograd_refuses_what_it_cannot_do)
{
    for (const Sizes &sizes : kOthers)
        CHECK(!winograd::fits(picture(sizes), Layer(sizes).weight));
    const torch::Tensor x = picture(kFitting[0]), weight = Layer(kFitting[0]).weight;
    CHECK(!winograd::fits(x.to(torch::kFloat64), weight));
    CHECK(!winograd::fits(x, weight.to(torch::kFloat64)));
    CHECK(!winograd::fits(x, weight.narrow(2, 0, 1).narrow(3, 0, 1).contiguous()));
}

SG_CASE(layers_agree_whichever_way_they_take)
{
    for (const std::vector<Sizes> *list : {&kFitting, &kOthers})
        for (const Sizes &sizes : *list) {
            Layer layer(sizes);
            const torch::Tensor x = picture(sizes);
            const torch::Tensor wanted = direct(x, layer.weight, layer.bias);
            const torch::Tensor plus = at::randn(wanted.sizes()).contiguous(at::MemoryFormat::ChannelsLast);
            CHECK(difference(layer.conv->forward(x), wanted) < kClose);
            CHECK(difference(layer.conv->forwardPlus(x, plus), wanted + plus) < kClose);
            const torch::Tensor twice = at::upsample_nearest2d(x, {2 * sizes.height, 2 * sizes.width});
            CHECK(difference(layer.conv->forwardDoubled(x, 2 * sizes.height, 2 * sizes.width),
                             direct(twice, layer.weight, layer.bias)) < kClose);
            CHECK(layer.held().equal(layer.weight));  // not a bit of it is lost
            CHECK(difference(layer.conv->forward(x), wanted) < kClose);
        }
}

// Whichever way a layer takes: beyond the edges it sees the other side, and afterwards zeros again.
SG_CASE(edges_that_wrap)
{
    for (const std::vector<Sizes> *list : {&kFitting, &kOthers})
        for (const Sizes &sizes : *list) {
            Layer layer(sizes);
            sg::nn::Conv2d half(sg::nn::Conv2dImpl::Shape{sizes.in, sizes.out, 3, 2});
            half->edit([&](const auto &declared) {
                torch::Tensor(declared[0].parameter).set_data(layer.weight.clone());
                torch::Tensor(declared[1].parameter).set_data(layer.bias.clone());
            });
            const torch::Tensor x = picture(sizes),
                                twice = at::upsample_nearest2d(x, {2 * sizes.height, 2 * sizes.width});
            const torch::Tensor before = layer.conv->forward(x), halfBefore = half->forward(x);
            const torch::Tensor doubledBefore = layer.conv->forwardDoubled(x, 2 * sizes.height, 2 * sizes.width);
            for (const sg::nn::Wrap wrap : {sg::nn::Wrap{true, true}, {true, false}, {false, true}}) {
                const auto wanted = [&](const torch::Tensor &of, std::int64_t stride) {
                    torch::Tensor around = of.to(torch::kFloat64);
                    around = wrap.across
                                 ? at::cat({around.narrow(3, of.size(3) - 1, 1), around, around.narrow(3, 0, 1)}, 3)
                                 : at::constant_pad_nd(around, {1, 1, 0, 0});
                    around = wrap.down
                                 ? at::cat({around.narrow(2, of.size(2) - 1, 1), around, around.narrow(2, 0, 1)}, 2)
                                 : at::constant_pad_nd(around, {0, 0, 1, 1});
                    return at::conv2d(around, layer.weight.to(torch::kFloat64), layer.bias.to(torch::kFloat64), stride);
                };
                const sg::nn::WrapScope scope(wrap);
                const torch::Tensor once = wanted(x, 1);
                CHECK(difference(layer.conv->forward(x), once) < kClose);
                const torch::Tensor plus = at::randn(once.sizes()).contiguous(at::MemoryFormat::ChannelsLast);
                CHECK(difference(layer.conv->forwardPlus(x, plus), once + plus) < kClose);
                CHECK(difference(layer.conv->forwardDoubled(x, 2 * sizes.height, 2 * sizes.width), wanted(twice, 1)) <
                      kClose);
                CHECK(difference(half->forward(x), wanted(x, 2)) < kClose);
            }
            CHECK(layer.conv->forward(x).equal(before) && half->forward(x).equal(halfBefore));
            CHECK(layer.conv->forwardDoubled(x, 2 * sizes.height, 2 * sizes.width).equal(doubledBefore));
        }
}

// A packed weight is made for one size and one padding: a padded picture may have another's size.
SG_CASE(a_wrapped_picture_of_the_size_of_another)
{
    Layer layer({1, 4, 32, 8, 8});
    const torch::Tensor small = picture({1, 4, 32, 8, 8}), large = picture({1, 4, 32, 10, 10});
    const torch::Tensor before = layer.conv->forward(large);
    {
        const sg::nn::WrapScope scope({true, true});
        layer.conv->forward(small);
    }
    CHECK(layer.conv->forward(large).equal(before));
}

SG_CASE(layers_without_a_bias)
{
    for (const std::vector<Sizes> *list : {&kFitting, &kOthers})
        for (const Sizes &sizes : *list) {
            sg::nn::Conv2d conv(sg::nn::Conv2dImpl::Shape{.in = sizes.in, .out = sizes.out, .bias = false});
            const torch::Tensor weight = at::randn({sizes.out, sizes.in, 3, 3}), none = at::zeros({sizes.out});
            conv->edit([&](const auto &declared) {
                CHECK(declared.size() == 1);
                torch::Tensor(declared[0].parameter).set_data(weight.clone());
            });
            const torch::Tensor x = picture(sizes),
                                twice = at::upsample_nearest2d(x, {2 * sizes.height, 2 * sizes.width});
            const torch::Tensor wanted = direct(x, weight, none);
            CHECK(difference(conv->forward(x), wanted) < kClose);
            const torch::Tensor plus = at::randn(wanted.sizes()).contiguous(at::MemoryFormat::ChannelsLast);
            CHECK(difference(conv->forwardPlus(x, plus), wanted + plus) < kClose);
            CHECK(difference(conv->forwardDoubled(x, 2 * sizes.height, 2 * sizes.width), direct(twice, weight, none)) <
                  kClose);
        }
}

SG_CASE(sizes_may_change_between_calls)
{
    Layer layer(kFitting[0]);
    for (const std::int64_t side : {48, 4, 61, 8, 48}) {
        const torch::Tensor x = picture({1, 32, 32, side, side});
        CHECK(difference(layer.conv->forward(x), direct(x, layer.weight, layer.bias)) < kClose);
    }
}

SG_CASE(edited_weights_are_used)
{
    Layer layer(kFitting[0]);
    const torch::Tensor x = picture(kFitting[0]);
    layer.conv->forward(x);
    layer.conv->edit([](const auto &declared) { torch::Tensor(declared[0].parameter).mul_(2); });
    CHECK(difference(layer.conv->forward(x), direct(x, layer.weight * 2, layer.bias)) < kClose);
}

SG_CASE(one_and_several_threads_give_the_same)
{
    if (!sg::nn::kernels::available()) return;
    const Layer layer(kFitting[1]);
    const torch::Tensor x = picture(kFitting[1]);
    at::set_num_threads(1);
    const torch::Tensor alone = winograd::convolve(x, layer.weight, layer.bias);
    for (const int threads : {2, 3, 8}) {
        at::set_num_threads(threads);
        CHECK(winograd::convolve(x, layer.weight, layer.bias).equal(alone));
    }
    at::set_num_threads(2);
}

// Products straight from a weight as it lies in its file, held against torch's own in double precision.
namespace products {
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

}  // namespace products

int main(int count, char **names)
{
    at::set_num_threads(2);
    const torch::InferenceMode guard;
    torch::manual_seed(1);
    return sg::test::runCases(count, names);
}
