#include "core/diffusion/nn/packed_conv.h"

#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <array>
#include <optional>
#include <string_view>

namespace sg::nn {
namespace {

using Pair = std::array<std::int64_t, 2>;
using Scalars = c10::List<std::optional<at::Scalar>>;
using Text = std::optional<std::string_view>;
using Bias = std::optional<at::Tensor>;

constexpr Pair kOnce{1, 1};

// Only these operators, which torch registers for its compiler, take a packed weight and keep pictures channels-last.
using Plain = at::Tensor(const at::Tensor &, const at::Tensor &, const Bias &, at::IntArrayRef, at::IntArrayRef,
                         at::IntArrayRef, std::int64_t, std::string_view, Scalars, Text);
using Plus = at::Tensor(const at::Tensor &, const at::Tensor &, const at::Tensor &, const Bias &, at::IntArrayRef,
                        at::IntArrayRef, at::IntArrayRef, std::int64_t, std::string_view, std::optional<at::Scalar>,
                        Text, Scalars, Text);

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char *overload)
{
    return c10::Dispatcher::singleton()
        .findSchemaOrThrow("mkldnn::_convolution_pointwise", overload)
        .typed<Signature>();
}

}  // namespace

bool PackedConv::fits(const torch::Tensor &weight, torch::ScalarType precision)
{
    const torch::ScalarType type = precision == torch::ScalarType::Undefined ? weight.scalar_type() : precision;
    return weight.is_cpu() && type == torch::kFloat32 && at::hasMKLDNN();
}

void PackedConv::pack(const torch::Tensor &weight, const torch::Tensor &x, std::int64_t stride, std::int64_t padding)
{
    m_stride = stride;
    m_padding = padding;
    m_size = x.sizes().vec();
    m_packed = at::mkldnn_reorder_conv2d_weight(weight.to(torch::kFloat32).to_mkldnn(), Pair{padding, padding},
                                                Pair{stride, stride}, kOnce,
                                                /*groups=*/1, x.sizes());
}

torch::Tensor PackedConv::forward(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus) const
{
    const Pair padding{m_padding, m_padding}, stride{m_stride, m_stride};
    if (plus.defined()) {
        static const auto kPlus = find<Plus>("binary");
        return kPlus.call(x, plus, m_packed, bias, padding, stride, kOnce, 1, "add", std::nullopt, std::nullopt,
                          Scalars(), std::nullopt);
    }
    static const auto kPlain = find<Plain>("");
    return kPlain.call(x, m_packed, bias, padding, stride, kOnce, 1, "none", Scalars(), "");
}

}  // namespace sg::nn
