#include "core/diffusion/adapters/adapter_change.h"

#include "core/base/error.h"
#include "core/diffusion/adapters/part_reader.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/norm.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace sg::adapters {
namespace {

/// A kind's change before scale, DoRA and multiplier, in any shape with the weight's number of elements, and the rank
/// that its "alpha" is divided by (0: it has none).
struct Raw {
    torch::Tensor change;
    std::int64_t rank = 0;
};

// The product of a small picture of weights and two matrices, one for each of its first two dimensions.
torch::Tensor tucker(const PartReader &parts, const torch::Tensor &core, const torch::Tensor &first,
                     const torch::Tensor &second)
{
    parts.require(core.dim() == 4 && core.size(0) == first.size(0) && core.size(1) == second.size(0),
                  "the middle part does not fit the other two");
    parts.require(first.size(1) * second.size(1) * core.size(2) * core.size(3) == parts.weight().numel(),
                  "the parts make a change of another size than the weight");
    return at::einsum("pqhw,po,qi->oihw", {core, first, second});
}

Raw loraChange(const PartReader &parts, const Strength &strength)
{
    torch::Tensor up = parts.matrix("lora_up"), down = parts.matrix("lora_down");
    const std::int64_t rank = down.size(0);
    if (parts.has("lora_mid")) return {tucker(parts, parts.at("lora_mid"), up.t(), down), rank};
    if (strength.ranks && *strength.ranks < rank && up.size(1) == rank) {
        const std::int64_t used = std::max<std::int64_t>(*strength.ranks, 0);
        up = up.narrow(1, 0, used);
        down = down.narrow(0, 0, used);
    }
    return {product(parts, up, down, parts.weight().numel()), rank};
}

Raw lohaChange(const PartReader &parts)
{
    const auto half = [&](const char *a, const char *b, const char *t) {
        if (parts.has(t)) return tucker(parts, parts.at(t), parts.matrix(a), parts.matrix(b));
        return product(parts, parts.matrix(a), parts.matrix(b), parts.weight().numel());
    };
    const torch::Tensor first = half("hada_w1_a", "hada_w1_b", "hada_t1");
    const torch::Tensor second = half("hada_w2_a", "hada_w2_b", "hada_t2");
    parts.require(first.sizes() == second.sizes(), "the two halves have different shapes");
    return {first * second, parts.at("hada_w1_b").size(0)};
}

Raw lokrChange(const PartReader &parts)
{
    Raw raw;
    const auto factor = [&](const std::string &name) {
        if (parts.has(name)) return parts.at(name);
        const torch::Tensor a = parts.matrix(name + "_a"), b = parts.matrix(name + "_b");
        raw.rank = b.size(0);
        if (name != "lokr_w2" || !parts.has("lokr_t2")) {
            parts.require(a.size(1) == b.size(0), "the parts of a factor do not fit each other");
            parts.require(a.size(0) * b.size(1) <= parts.weight().numel(), "a factor is larger than the weight");
            return at::matmul(a, b);
        }
        const torch::Tensor &t = parts.at("lokr_t2");
        parts.require(t.dim() == 4 && t.size(0) == a.size(0) && t.size(1) == b.size(0),
                      "lokr_t2 does not fit lokr_w2_a and lokr_w2_b");
        parts.require(a.size(1) * b.size(1) * t.size(2) * t.size(3) <= parts.weight().numel(),
                      "a factor is larger than the weight");
        return at::einsum("pqhw,po,qi->oihw", {t, a, b});
    };
    torch::Tensor first = factor("lokr_w1");
    const torch::Tensor second = factor("lokr_w2");
    parts.require(first.numel() * second.numel() == parts.weight().numel(),
                  "the factors make a change of another size than the weight");
    while (first.dim() < second.dim())
        first = first.unsqueeze(-1);
    parts.require(first.dim() == second.dim(), "the factors have different numbers of dimensions");
    raw.change = at::kron(first, second.contiguous());
    return raw;
}

Raw ia3Change(const PartReader &parts)
{
    const torch::Tensor factors = parts.at("weight").reshape({-1});
    const bool columns = parts.number("on_input", 0) != 0;
    const torch::Tensor &weight = parts.weight();
    std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
    const std::size_t axis = columns && weight.dim() > 1 ? 1 : 0;
    parts.require(factors.numel() == weight.size(static_cast<std::int64_t>(axis)),
                  columns ? "there is not one factor for each input" : "there is not one factor for each output");
    shape[axis] = factors.numel();
    return {weight * factors.view(shape)};
}

/// peft's: the factors themselves, of the inputs where it says so and otherwise of the outputs.
bool scalesInputs(const PartReader &parts)
{
    const torch::Tensor &weight = parts.weight();
    parts.require(weight.dim() >= 2, "IA3 needs a matrix or a convolution");
    const std::int64_t count = parts.at("ia3_l").numel();
    const bool inputs = parts.has("on_input") ? parts.number("on_input", 0) != 0 : count != weight.size(0);
    parts.require(count == weight.size(inputs ? 1 : 0),
                  inputs ? "there is not one factor for each input" : "there is not one factor for each output");
    return inputs;
}

Raw peftIa3Change(const PartReader &parts)
{
    const torch::Tensor &weight = parts.weight();
    std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
    shape[scalesInputs(parts) ? 1 : 0] = -1;
    return {weight * (parts.at("ia3_l").reshape(shape) - 1)};
}

Raw gloraChange(const PartReader &parts)
{
    const torch::Tensor &weight = parts.weight();
    parts.require(weight.dim() >= 2, "GLoRA needs a matrix or a convolution");
    const torch::Tensor inner = product(parts, parts.matrix("a2"), parts.matrix("a1"), weight.size(1) * weight.size(1));
    parts.require(inner.size(0) == weight.size(1) && inner.size(1) == weight.size(1),
                  "a2 and a1 do not lead from the layer's inputs to its inputs");
    const torch::Tensor added = product(parts, parts.matrix("b2"), parts.matrix("b1"), weight.numel());
    parts.require(added.numel() == weight.numel(), "the parts make a change of another size than the weight");
    const torch::Tensor turned = at::einsum("oi...,ij->oj...", {weight, inner});
    return {turned + added.reshape(weight.sizes())};
}

// Some files hold a part of the change that is not of low rank, as a tensor or as the few elements that are not zero.
torch::Tensor plusRemainder(const PartReader &parts, torch::Tensor change)
{
    if (!parts.has("bias")) return change;
    const torch::Tensor &rest = parts.at("bias");
    parts.require(rest.numel() == change.numel(), "bias has another size than the change");
    return change.reshape(rest.sizes()) + rest;
}

Raw rawChange(const PartReader &parts, const Strength &strength)
{
    if (parts.has("lora_up") || parts.has("lora_down")) return loraChange(parts, strength);
    if (parts.has("hada_w1_a") || parts.has("hada_w1_b")) return lohaChange(parts);
    for (const char *name : {"lokr_w1", "lokr_w1_a", "lokr_w2", "lokr_w2_a"})
        if (parts.has(name)) return lokrChange(parts);
    if (parts.has("oft_blocks") || parts.has("oft_diag")) return {rotated(parts) - parts.weight()};
    if (parts.has("oft_r") || parts.has("boft_r")) return {rotatedInputs(parts) - parts.weight()};
    if (parts.has("ia3_l")) return peftIa3Change(parts);
    if (parts.has("a1") || parts.has("b1")) return gloraChange(parts);
    if (parts.has("on_input")) return ia3Change(parts);
    if (parts.has("diff")) return {parts.at("diff")};
    if (parts.has("w_norm")) return {parts.at("w_norm")};
    return {};
}

// In the weight's shape. A convolution that got more inputs after the adapter's model (inpainting) leaves them alone.
torch::Tensor fitted(const PartReader &parts, const torch::Tensor &change)
{
    const torch::Tensor &weight = parts.weight();
    if (change.numel() == weight.numel() && (change.dim() < 2 || weight.dim() < 2 || change.size(0) == weight.size(0)))
        return change.reshape(weight.sizes());
    const std::int64_t kernel = weight.dim() == 4 ? weight.size(2) * weight.size(3) : 1;
    const std::int64_t inputs = weight.dim() == 4 && weight.size(0) > 0 ? change.numel() / weight.size(0) / kernel : 0;
    if (weight.dim() != 4 || change.dim() < 2 || change.size(0) != weight.size(0) || inputs < 1 ||
        inputs >= weight.size(1) || inputs * weight.size(0) * kernel != change.numel() || weight.size(1) != 9)
        parts.refuse("the change has another size than the weight");
    const torch::Tensor narrow = change.reshape({weight.size(0), inputs, weight.size(2), weight.size(3)});
    return at::constant_pad_nd(narrow, {0, 0, 0, 0, 0, weight.size(1) - inputs});
}

double scaleOf(const PartReader &parts, std::int64_t rank)
{
    if (parts.has("scale")) return parts.number("scale", 1);
    return parts.has("alpha") && rank > 0 ? parts.number("alpha", 1) / static_cast<double>(rank) : 1;
}

// DoRA: the changed weight gets new lengths. peft's are its rows'; LyCORIS's are its rows' or its columns', as their
// shape tells.
torch::Tensor decomposed(const PartReader &parts, const torch::Tensor &change)
{
    const bool rowsOnly = parts.has("magnitude");
    const torch::Tensor &lengths = parts.at(rowsOnly ? "magnitude" : "dora_scale");
    const torch::Tensor &weight = parts.weight();
    parts.require(weight.dim() >= 2, "DoRA needs a matrix or a convolution");
    const std::int64_t count = lengths.numel();
    const bool ofRows = count == weight.size(0), ofColumns = count == weight.size(1) && !rowsOnly;
    const bool columns = ofColumns && (!ofRows || (lengths.dim() > 1 && lengths.size(1) == count));
    parts.require(columns || ofRows, "DoRA's lengths are not one for each row or column");
    const torch::Tensor changed = weight + change;
    std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1), others;
    const std::int64_t kept = columns ? 1 : 0;
    shape[static_cast<std::size_t>(kept)] = count;
    for (std::int64_t axis = 0; axis < weight.dim(); ++axis)
        if (axis != kept) others.push_back(axis);
    return changed * (lengths.reshape(shape) / at::norm(changed, 2, others, /*keepdim=*/true)) - weight;
}

}  // namespace

Change changeOf(const Parts &parts, const torch::Tensor &weight, const Strength &strength)
{
    const PartReader reader(parts, weight);
    Change made;
    if (Raw raw = rawChange(reader, strength); raw.change.defined()) {
        torch::Tensor change = fitted(reader, plusRemainder(reader, raw.change));
        if (!reader.has("oft_blocks") && !reader.has("oft_diag")) change = change * scaleOf(reader, raw.rank);
        if (reader.has("dora_scale") || reader.has("magnitude")) change = decomposed(reader, change);
        made.weight = change * strength.multiplier;
    }
    if (reader.has("ia3_l") && !scalesInputs(reader))
        made.biasFactors = 1 + (reader.at("ia3_l").reshape({-1}) - 1) * strength.multiplier;
    for (const char *name : {"diff_b", "b_norm"})
        if (reader.has(name)) made.bias = reader.at(name).reshape({-1}) * strength.multiplier;
    return made;
}

bool isKnownKind(const std::map<std::string, std::string, std::less<>> &parts)
{
    static constexpr std::array kTelling{"lora_up",  "lora_down", "hada_w1_a", "hada_w1_b",  "lokr_w1",
                                         "lokr_w2",  "lokr_w1_a", "lokr_w2_a", "oft_blocks", "oft_diag",
                                         "a1",       "b1",        "ia3_l",     "oft_r",      "boft_r",
                                         "on_input", "diff",      "diff_b",    "w_norm",     "b_norm"};
    return std::any_of(kTelling.begin(), kTelling.end(), [&](const char *part) { return parts.contains(part); });
}

}  // namespace sg::adapters
