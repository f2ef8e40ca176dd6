#include "core/diffusion/nn/layers.h"

#include "core/diffusion/nn/functions.h"
#include "core/diffusion/nn/norm_scope.h"
#include "core/diffusion/nn/weight_product.h"
#include "core/diffusion/nn/winograd.h"
#include "core/diffusion/nn/wrap.h"

#include <array>
#include <utility>

namespace sg::nn {
namespace {

/// x with `count` pixels around it: of its other side where `wrap` says so, otherwise zeros.
torch::Tensor surrounded(torch::Tensor x, std::int64_t count, Wrap wrap)
{
    for (const auto &[dimension, wraps] : {std::pair(2, wrap.down), std::pair(3, wrap.across)})
        if (wraps)
            x = at::cat({x.narrow(dimension, x.size(dimension) - count, count), x, x.narrow(dimension, 0, count)},
                        dimension);
    const std::int64_t rows = wrap.down ? 0 : count, columns = wrap.across ? 0 : count;
    if (rows + columns > 0) x = at::constant_pad_nd(x, {columns, columns, rows, rows});
    return x.contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

torch::Tensor Leaf::declare(const std::string &name, std::vector<std::int64_t> shape)
{
    // On the CPU and not on "meta": set_data refuses to leave a meta tensor.
    torch::Tensor parameter = register_parameter(name, torch::empty({0}), /*requires_grad=*/false);
    m_declared.push_back({name, parameter, std::move(shape)});
    return parameter;
}

void Leaf::edit(const std::function<void(const std::vector<Declared> &)> &change)
{
    restoreWeights();
    for (const Declared &one : m_declared)
        settled(one.parameter);
    change(m_declared);
    weightsChanged();
}

void Leaf::editStored(const std::function<void(const std::vector<Declared> &)> &change)
{
    restoreWeights();
    change(m_declared);
    weightsChanged();
}

bool Leaf::waits(const torch::Tensor &parameter) const
{
    return m_precision != torch::ScalarType::Undefined && parameter.scalar_type() != m_precision;
}

const torch::Tensor &Leaf::settled(const torch::Tensor &parameter) const
{
    if (waits(parameter)) parameter.set_data(parameter.to(m_precision));
    return parameter;
}

torch::Tensor Leaf::lent(const torch::Tensor &parameter) const
{
    return waits(parameter) ? parameter.to(m_precision) : parameter;
}

const torch::Tensor &Leaf::usable(const torch::Tensor &parameter, const torch::Tensor &x) const
{
    return weight_product::fits(x, parameter) ? parameter : settled(parameter);
}

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool bias) : m_weight(declare("weight", {out, in}))
{
    if (bias) m_bias = declare("bias", {out});
}

torch::Tensor LinearImpl::forward(const torch::Tensor &x) const
{
    return linear(x, weightFor(x), m_bias);
}

Conv2dImpl::Conv2dImpl(const Shape &shape)
    : m_shape(shape), m_weight(declare("weight", {shape.out, shape.in, shape.kernel, shape.kernel})),
      m_bias(shape.bias ? declare("bias", {shape.out}) : torch::Tensor())
{
}

torch::Tensor Conv2dImpl::convolve(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus)
{
    const Wrap wrap = m_shape.padding > 0 ? currentWrap() : Wrap{};
    if (m_packed.empty() && keepsSize() && winograd::fits(x, m_weight))
        return winograd::convolve(x, m_weight, bias, plus, /*doubled=*/false, wrap);
    if (m_packed.empty() && weight_product::fits(x, m_weight))
        return weight_product::convolve(x, m_weight, bias, plus, m_shape.stride, m_shape.padding, wrap);
    return wrap.any() ? convolveOther(surrounded(x, m_shape.padding, wrap), bias, plus, 0)
                      : convolveOther(x, bias, plus, m_shape.padding);
}

torch::Tensor Conv2dImpl::convolveOther(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus,
                                        std::int64_t padding)
{
    if (x.scalar_type() == torch::kFloat32 && (!m_packed.empty() || PackedConv::fits(m_weight, precision()))) {
        if (!m_packed.isFor(x, padding)) {
            restoreWeights();
            m_packed.pack(m_weight, x, m_shape.stride, padding);
            m_kept = waits(m_weight) ? m_weight.detach() : torch::Tensor();
            m_weight.set_data(torch::empty({0}));
        }
        return m_packed.forward(x, bias, plus);
    }
    const std::array<std::int64_t, 2> strides{m_shape.stride, m_shape.stride}, paddings{padding, padding};
    torch::Tensor y = at::conv2d(x, settled(m_weight), bias, strides, paddings);
    return plus.defined() ? y.add_(plus) : y;
}

torch::Tensor Conv2dImpl::forwardDoubled(const torch::Tensor &x, std::int64_t height, std::int64_t width)
{
    TORCH_CHECK(keepsSize());
    if (height != 2 * x.size(2) || width != 2 * x.size(3)) return forward(at::upsample_nearest2d(x, {height, width}));
    const Wrap wrap = currentWrap();
    if (m_packed.empty() && winograd::fits(x, m_weight, /*doubled=*/true))
        return winograd::convolve(x, m_weight, m_bias, {}, /*doubled=*/true, wrap);
    if (wrap.any()) return forward(at::upsample_nearest2d(x, {height, width}));
    if (!m_doubled.defined()) {
        restoreWeights();
        // Each of the four outputs of a pixel sees 2x2 pixels, because the enlarged picture's are equal in pairs: the
        // 3x3 kernel, spread over a pair in each direction, is a 4x4 kernel of a transposed convolution with stride 2.
        const torch::Tensor turned = lent(m_weight).transpose(0, 1).flip({2, 3});
        m_doubled =
            torch::zeros({m_shape.in, m_shape.out, 4, 4}, turned.options()).contiguous(at::MemoryFormat::ChannelsLast);
        for (const std::int64_t row : {0, 1})
            for (const std::int64_t column : {0, 1})
                m_doubled.narrow(2, row, 3).narrow(3, column, 3).add_(turned);
    }
    return at::conv_transpose2d(x, m_doubled, m_bias, /*stride=*/2, /*padding=*/1);
}

void Conv2dImpl::restoreWeights()
{
    if (!m_packed.empty()) m_weight.set_data(m_kept.defined() ? m_kept : m_packed.unpacked());
    m_packed.clear();
    m_kept.reset();
}

void Conv2dImpl::weightsChanged()
{
    m_packed.clear();
    m_kept.reset();
    m_doubled.reset();
}

GroupNormImpl::GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps)
    : m_groups(groups), m_eps(eps), m_weight(declare("weight", {channels})), m_bias(declare("bias", {channels}))
{
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor &x) const
{
    NormRecord *const record = currentNorms();
    if (record && !record->recording) {
        const NormRecord::Seen &seen = record->next();
        const std::int64_t channels = m_weight.size(0), each = channels / m_groups;
        const auto forChannels = [&](const torch::Tensor &of) { return of.repeat_interleave(each, 1); };
        const torch::Tensor scale = forChannels(seen.scale) * m_weight;
        const torch::Tensor shift = m_bias - forChannels(seen.mean) * scale;
        return at::addcmul(shift.unsqueeze(2).unsqueeze(3), x, scale.unsqueeze(2).unsqueeze(3));
    }
    if (record) {
        const torch::Tensor groups = x.reshape({x.size(0), m_groups, -1}).to(torch::kFloat32);
        record->add({groups.mean(2), groups.var(2, /*unbiased=*/false).add_(m_eps).rsqrt_()});
    }
    return at::group_norm(x, m_groups, m_weight, m_bias, m_eps);
}

torch::Tensor GroupNormImpl::forwardSilu(const torch::Tensor &x) const
{
    torch::Tensor y = forward(x);
    return at::silu_(y);
}

LayerNormImpl::LayerNormImpl(std::int64_t width, double eps)
    : m_width(width), m_eps(eps), m_weight(declare("weight", {width})), m_bias(declare("bias", {width}))
{
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor &x) const
{
    return at::layer_norm(x, m_width, m_weight, m_bias, m_eps);
}

EmbeddingImpl::EmbeddingImpl(std::int64_t count, std::int64_t width) : m_weight(declare("weight", {count, width})) {}

torch::Tensor EmbeddingImpl::forward(const torch::Tensor &ids) const
{
    const torch::Tensor rows = at::embedding(m_weight, ids);
    return waits(rows) ? rows.to(precision()) : rows;  // of a large table, only what is asked for
}

}  // namespace sg::nn
