#include "core/diffusion/adapters/part_reader.h"

#include "core/base/error.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/norm.h>

#include <algorithm>
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

}  // namespace sg::adapters
