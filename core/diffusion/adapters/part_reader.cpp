#include "core/diffusion/adapters/part_reader.h"

#include "core/base/error.h"

#include <ATen/TensorIndexing.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/triu_indices.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace sg::adapters {
namespace {

constexpr double kTiny = 1e-8;  // keeps a rotation of nothing from dividing by zero

std::string shapeText(const torch::Tensor &tensor)
{
    std::string text = "[";
    for (const std::int64_t size : tensor.sizes())
        text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
}

// Cayley's transform of the blocks' skew parts, which alpha keeps from growing too long.
torch::Tensor rotations(const PartReader &parts, const torch::Tensor &blocks, std::int64_t outputs)
{
    torch::Tensor skew = blocks - blocks.transpose(-1, -2);
    const double longest = parts.number("alpha", 0) * static_cast<double>(outputs);
    if (longest != 0) {
        const double length = at::norm(skew).item<double>();
        skew = skew * ((std::min(length, longest) + kTiny) / (length + kTiny));
    }
    const torch::Tensor one = at::eye(blocks.size(-1), blocks.options());
    return at::matmul(one + skew, at::linalg_inv(one - skew));
}

// Blocks that turn rows of the weight which lie ever further apart.
torch::Tensor butterfly(const PartReader &parts, const torch::Tensor &turns)
{
    const std::int64_t blocks = turns.size(1), side = turns.size(2), outputs = blocks * side;
    torch::Tensor rows = parts.weight().reshape({outputs, -1});
    for (std::int64_t level = 0; level < turns.size(0); ++level) {
        parts.require(level < 31, "there are too many levels");
        const std::int64_t apart = (std::int64_t{1} << level) * (side / 2);
        parts.require(side % 2 == 0 && apart > 0 && outputs % (2 * apart) == 0,
                      "the layer's outputs cannot be paired as the blocks want");
        const std::int64_t groups = outputs / (2 * apart);
        const torch::Tensor paired = rows.view({groups, 2, apart, -1}).transpose(1, 2).reshape({blocks, side, -1});
        const torch::Tensor turned = at::matmul(turns[level], paired);
        rows = turned.reshape({groups, apart, 2, -1}).transpose(1, 2).reshape({outputs, -1});
    }
    return rows.reshape(parts.weight().sizes());
}

/// Skew blocks of the numbers above their diagonals. Shapes  [blocks, side * (side - 1) / 2] -> [blocks, side, side].
torch::Tensor skewOf(const PartReader &parts, const torch::Tensor &above, std::int64_t side)
{
    torch::Tensor blocks = at::zeros({above.size(0), side, side}, above.options());
    const torch::Tensor places =
        at::triu_indices(side, side, 1, torch::TensorOptions(torch::kLong).device(above.device()));
    parts.require(places.size(1) == above.size(1), "the blocks' numbers are not those above a diagonal");
    blocks.index_put_({at::indexing::Slice(), places[0], places[1]}, above);
    return blocks - blocks.transpose(-1, -2);
}

/// peft shortens blocks that grew too long.
torch::Tensor shortened(const torch::Tensor &skew, double longest)
{
    const double most = longest / std::sqrt(static_cast<double>(skew.size(0)));
    const torch::Tensor lengths = at::norm(skew, 2, {1, 2}, /*keepdim=*/true);
    return at::where(lengths <= most, skew, skew / lengths.clamp_min(kTiny * kTiny) * most);
}

/// Turns: the first `terms` of 1 + 2 Q + 2 Q^2 …, the last one once; or exactly with 0.
torch::Tensor turnsOf(const torch::Tensor &skew, std::int64_t terms)
{
    const torch::Tensor one = at::eye(skew.size(-1), skew.options());
    if (terms == 0) return at::matmul(one - skew, at::linalg_inv(one + skew));
    torch::Tensor sum = one.expand_as(skew).clone();
    if (terms > 1) sum += 2 * skew;
    if (terms > 2) {
        torch::Tensor power = at::matmul(skew, skew);
        sum += 2 * power;
        for (std::int64_t i = 3; i < terms - 1; ++i) {
            power = at::matmul(power, skew);
            sum += 2 * power;
        }
        sum += at::matmul(power, skew);
    }
    return sum;
}

/// Rows of a matrix turned block by block; one block is that of all.
torch::Tensor turnedBy(const torch::Tensor &turns, const torch::Tensor &rows)
{
    const std::int64_t side = turns.size(-1);
    return at::matmul(turns, rows.reshape({rows.size(0) / side, side, -1})).reshape(rows.sizes());
}

/// Where a butterfly's level takes rows from: of each run the even parts of `half` rows, then the odd ones.
torch::Tensor butterflyOrder(std::int64_t rows, std::int64_t runs, std::int64_t half)
{
    const torch::Tensor all = at::arange(rows, torch::kLong);
    const std::int64_t parts = rows / runs / half;
    return all.view({runs, parts / 2, 2, half}).transpose(1, 2).reshape({rows});
}

}  // namespace

const torch::Tensor &PartReader::at(std::string_view part) const
{
    const auto it = m_parts.find(part);
    if (it == m_parts.end()) refuse(std::string(part) + " is missing");
    require(it->second.numel() > 0, "a part is empty");
    return it->second;
}

torch::Tensor PartReader::matrix(std::string_view part) const
{
    const torch::Tensor &tensor = at(part);
    require(tensor.dim() >= 2, "a part has fewer than two dimensions");
    return tensor.reshape({tensor.size(0), -1});
}

double PartReader::number(std::string_view part, double otherwise) const
{
    if (!has(part)) return otherwise;
    require(at(part).numel() == 1, "a part that must be one number is none");
    return at(part).item<double>();
}

void PartReader::require(bool holds, const char *rule) const
{
    if (!holds) refuse(rule);
}

void PartReader::refuse(const std::string &rule) const
{
    std::string shapes;
    for (const auto &[name, tensor] : m_parts)
        shapes += (shapes.empty() ? "" : ", ") + name + " " + shapeText(tensor);
    throw Failure{{ErrorCode::UnusableFile, rule + ": " + shapes + ", for a weight " + shapeText(m_weight), {}}};
}

torch::Tensor product(const PartReader &parts, const torch::Tensor &a, const torch::Tensor &b, std::int64_t most)
{
    parts.require(a.size(1) == b.size(0), "two parts do not fit each other");
    // Before it is computed: two thin parts of a damaged file can ask for terabytes.
    parts.require(a.size(0) <= most && b.size(1) <= most / a.size(0), "the parts make a change larger than the weight");
    return at::matmul(a, b);
}

torch::Tensor rotated(const PartReader &parts)
{
    const bool stored = !parts.has("oft_blocks");
    const torch::Tensor &blocks = parts.at(stored ? "oft_diag" : "oft_blocks");
    const torch::Tensor &weight = parts.weight();
    const bool levels = blocks.dim() == 4 && !stored;
    parts.require((levels || blocks.dim() == 3) && blocks.size(-1) == blocks.size(-2),
                  "the blocks of a rotation must be square");
    const std::int64_t side = blocks.size(-1);
    parts.require(blocks.size(-3) * side == weight.size(0), "the blocks do not cover the layer's outputs");
    const torch::Tensor turns = stored ? blocks : rotations(parts, blocks, weight.size(0));
    torch::Tensor made;
    if (levels)
        made = butterfly(parts, turns);
    else
        made = at::matmul(turns.transpose(-1, -2), weight.reshape({blocks.size(0), side, -1})).reshape(weight.sizes());
    if (!parts.has("rescale")) return made;
    const torch::Tensor &factors = parts.at("rescale");
    parts.require(factors.numel() == 1 || factors.numel() == weight.size(0),
                  "rescale is not one number for each output");
    std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
    shape[0] = factors.numel();
    return made * factors.reshape(shape);
}

torch::Tensor rotatedInputs(const PartReader &parts)
{
    const torch::Tensor &weight = parts.weight();
    parts.require(weight.dim() >= 2, "a rotation needs a matrix or a convolution");
    // As peft: a convolution's inputs are those of its whole kernel.
    const std::int64_t inputs = weight.numel() / std::max<std::int64_t>(weight.size(0), 1);
    torch::Tensor rows = weight.reshape({weight.size(0), inputs}).t();
    if (parts.has("oft_r")) {
        const torch::Tensor &above = parts.at("oft_r");
        parts.require(above.dim() == 2, "the blocks of a rotation must be rows of numbers");
        const auto side = static_cast<std::int64_t>((1 + std::sqrt(1 + 8 * static_cast<double>(above.size(1)))) / 2);
        const bool fits = side > 1 && inputs % side == 0 && (above.size(0) == 1 || above.size(0) * side == inputs);
        parts.require(fits, "the blocks do not cover the layer's inputs");
        torch::Tensor skew = skewOf(parts, above, side);
        if (parts.has("longest")) skew = shortened(skew, parts.number("longest", 0));
        rows = turnedBy(turnsOf(skew, static_cast<std::int64_t>(parts.number("series", 5))), rows.contiguous());
        return rows.t().reshape(weight.sizes());
    }
    const torch::Tensor &blocks = parts.at("boft_r");
    parts.require(blocks.dim() == 4 && blocks.size(2) == blocks.size(3) && blocks.size(1) * blocks.size(2) == inputs,
                  "the blocks do not cover the layer's inputs");
    const std::int64_t levels = blocks.size(0), count = blocks.size(1), half = blocks.size(2) / 2;
    for (std::int64_t level = 0; level < levels; ++level) {
        const torch::Tensor turns = turnsOf((blocks[level] - blocks[level].transpose(-1, -2)) / 2, 0);
        if (levels == 1) {
            rows = turnedBy(turns, rows.contiguous());
            continue;
        }
        const std::int64_t runs = level < 31 ? count >> level : 0;
        parts.require(half > 0 && blocks.size(2) % 2 == 0 && runs > 0 && inputs % (runs * half * 2) == 0,
                      "the layer's inputs cannot be paired as the blocks want");
        const torch::Tensor order = butterflyOrder(inputs, runs, half).to(weight.device());
        const torch::Tensor paired = at::empty_like(rows, at::MemoryFormat::Contiguous).index_copy_(0, order, rows);
        rows = turnedBy(turns, paired).index_select(0, order);
    }
    torch::Tensor turned = rows.t();
    if (parts.has("boft_s")) {
        parts.require(parts.at("boft_s").numel() == weight.size(0), "boft_s is not one number for each output");
        turned = turned * parts.at("boft_s").reshape({-1, 1});
    }
    return turned.reshape(weight.sizes());
}

}  // namespace sg::adapters
