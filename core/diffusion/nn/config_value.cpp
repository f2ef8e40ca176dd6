#include "core/diffusion/nn/config_value.h"

#include "core/base/or_throw.h"

#include <charconv>
#include <cmath>

namespace sg::nn {
namespace {

constexpr std::int64_t kLargestMeta = 1'000'000;

}  // namespace

std::int64_t requireDim(const TensorIndex &index, const std::string &name, std::size_t axis)
{
    const std::int64_t size = index.dim(name, axis);
    if (size < 1)
        throwUnusable(index.contains(name) ? "has too few dimensions or none" : "this tensor is missing", name);
    return size;
}

std::int64_t metaInteger(const TensorIndex &index, std::string_view key, std::int64_t otherwise)
{
    const std::string_view text = index.meta(key);
    if (text.empty()) return otherwise;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > kLargestMeta)
        throwUnusable("metadata must be a whole number above 0", key);
    return value;
}

double metaNumber(const TensorIndex &index, std::string_view key, double otherwise)
{
    const std::string_view text = index.meta(key);
    if (text.empty()) return otherwise;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || value <= 0)
        throwUnusable("metadata must be a number above 0", key);
    return value;
}

void requireDivisible(std::int64_t size, std::int64_t part, std::string_view what)
{
    if (part < 1 || size % part != 0)
        throwUnusable(std::to_string(size) + " channels cannot be divided into " + std::to_string(part), what);
}

}  // namespace sg::nn
