#pragma once

#include "core/diffusion/nn/packed_conv.h"

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sg::nn {

/// A layer that owns weights. It begins with empty tensors and the shapes they must get; bind() fills them in.
/// A large weight of another type than precision() may lie in its mapped file until something has to convert it.
class Leaf : public torch::nn::Module {
public:
    struct Declared {
        std::string name;  ///< "weight", "bias": the last part of the checkpoint's key
        torch::Tensor parameter;
        std::vector<std::int64_t> shape;
    };
    const std::vector<Declared> &declared() const { return m_declared; }

    /// Changes weights in place; what is derived from them is made anew. Only in here are they in their own layout.
    void edit(const std::function<void(const std::vector<Declared> &)> &change);
    /// The same with weights as they lie in the file; each may become one of that type or of precision().
    void editStored(const std::function<void(const std::vector<Declared> &)> &change);
    torch::ScalarType precision() const { return m_precision; }  ///< of computing; Undefined: the weights' own
    void setPrecision(torch::ScalarType precision) { m_precision = precision; }

protected:
    torch::Tensor declare(const std::string &name, std::vector<std::int64_t> shape);
    bool waits(const torch::Tensor &parameter) const;                    ///< still as it lies in the file
    const torch::Tensor &settled(const torch::Tensor &parameter) const;  ///< in precision() from now on
    torch::Tensor lent(const torch::Tensor &parameter) const;            ///< in precision() for one use
    /// For linear() and addLinear() of x: as it lies in the file where they can work with that, otherwise settled.
    const torch::Tensor &usable(const torch::Tensor &parameter, const torch::Tensor &x) const;
    virtual void restoreWeights() {}
    virtual void weightsChanged() {}

private:
    std::vector<Declared> m_declared;
    torch::ScalarType m_precision = torch::ScalarType::Undefined;
};

/// Shapes  x [..., in] -> [..., out]. Keys weight [out, in], bias [out].
class LinearImpl final : public Leaf {
public:
    LinearImpl(std::int64_t in, std::int64_t out, bool bias = true);
    torch::Tensor forward(const torch::Tensor &x) const;
    /// For linear() and addLinear() of x, whole or in parts.
    const torch::Tensor &weightFor(const torch::Tensor &x) const { return usable(m_weight, x); }
    const torch::Tensor &bias() const { return m_bias; }

private:
    torch::Tensor m_weight, m_bias;
};
TORCH_MODULE(Linear);

/// Shapes  x [B, in, H, W] -> [B, out, H', W']. Keys weight [out, in, kernel, kernel], bias [out].
class Conv2dImpl final : public Leaf {
public:
    using Tensor = torch::Tensor;
    struct Shape {
        std::int64_t in, out, kernel = 3, stride = 1, padding = 1;
        bool bias = true;
    };
    explicit Conv2dImpl(const Shape &shape);
    torch::Tensor forward(const torch::Tensor &x) { return convolve(x, m_bias, {}); }
    /// With another bias [out]: what is added to every pixel of a channel.
    torch::Tensor forward(const torch::Tensor &x, const torch::Tensor &bias) { return convolve(x, bias, {}); }
    /// plus + convolution of x, in one pass.
    torch::Tensor forwardPlus(const torch::Tensor &x, const torch::Tensor &plus) { return convolve(x, m_bias, plus); }
    /// Of x enlarged to [height, width], at most twice its size, by repeating pixels. Kernel 3 only. Exactly twice
    /// costs less than half of what convolving the enlarged picture would.
    torch::Tensor forwardDoubled(const torch::Tensor &x, std::int64_t height, std::int64_t width);
    /// A 1x1 convolution's weight as a matrix [out, in], for linear() and addLinear() of x.
    Tensor matrixFor(const Tensor &x) const { return usable(m_weight, x).view({m_shape.out, m_shape.in}); }
    const torch::Tensor &bias() const { return m_bias; }

private:
    Tensor convolve(const Tensor &x, const Tensor &bias, const Tensor &plus);
    Tensor convolveOther(const Tensor &x, const Tensor &bias, const Tensor &plus, std::int64_t padding);
    bool keepsSize() const { return m_shape.kernel == 3 && m_shape.stride == 1 && m_shape.padding == 1; }
    void restoreWeights() override;
    void weightsChanged() override;

    Shape m_shape;
    torch::Tensor m_weight, m_bias;
    // For what neither Winograd's method nor weight_product.h can do, convolveOther():
    PackedConv m_packed;      ///< while it holds the weight, m_weight is empty,
    torch::Tensor m_kept;     ///< and this is what it was made of, when that lies in the file
    torch::Tensor m_doubled;  ///< [in, out, 4, 4], of the transposed convolution that forwardDoubled is
};
TORCH_MODULE(Conv2d);

/// Shapes  x [B, channels, H, W]. Keys weight, bias [channels].
class GroupNormImpl final : public Leaf {
public:
    GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps);
    torch::Tensor forward(const torch::Tensor &x) const;
    /// Followed by SiLU.
    torch::Tensor forwardSilu(const torch::Tensor &x) const;

private:
    std::int64_t m_groups;
    double m_eps;
    torch::Tensor m_weight, m_bias;
};
TORCH_MODULE(GroupNorm);

/// Shapes  x [..., width]. Keys weight, bias [width].
class LayerNormImpl final : public Leaf {
public:
    explicit LayerNormImpl(std::int64_t width, double eps = 1e-5);
    torch::Tensor forward(const torch::Tensor &x) const;

private:
    std::int64_t m_width;
    double m_eps;
    torch::Tensor m_weight, m_bias;
};
TORCH_MODULE(LayerNorm);

/// Shapes  ids [...] int64 -> [..., width]. Keys weight [count, width].
class EmbeddingImpl final : public Leaf {
public:
    EmbeddingImpl(std::int64_t count, std::int64_t width);
    torch::Tensor forward(const torch::Tensor &ids) const;
    const torch::Tensor &weight() const { return settled(m_weight); }

private:
    torch::Tensor m_weight;
};
TORCH_MODULE(Embedding);

/// Children under given names: "0" and "2" of time_embed, whose "1" has no weights.
struct SlotsImpl final : torch::nn::Module {
    template <class Module>
    Module put(const std::string &name, Module module)
    {
        return register_module(name, std::move(module));
    }
};
TORCH_MODULE(Slots);

}  // namespace sg::nn
