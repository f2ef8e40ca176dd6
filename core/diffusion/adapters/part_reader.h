#pragma once

#include "core/diffusion/adapters/adapter_change.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sg::adapters {

/// One layer's parts as a kind's formula asks for them, and the refusal that names their shapes.
class PartReader {
public:
    PartReader(const Parts &parts, const torch::Tensor &weight) : m_parts(parts), m_weight(weight) {}

    bool has(std::string_view part) const { return m_parts.contains(part); }
    /// Errors  throws Failure UnusableFile when it is missing or has no elements.
    const torch::Tensor &at(std::string_view part) const;
    /// As a matrix of as many rows as its first dimension is long.
    torch::Tensor matrix(std::string_view part) const;
    /// A single number, or `otherwise` when there is none.
    double number(std::string_view part, double otherwise) const;
    const torch::Tensor &weight() const { return m_weight; }
    /// Errors  throws Failure UnusableFile unless `holds`.
    void require(bool holds, const char *rule) const;
    [[noreturn]] void refuse(const std::string &rule) const;

private:
    const Parts &m_parts;
    const torch::Tensor &m_weight;
};

/// a @ b, of at most `most` elements. Errors  throws Failure UnusableFile.
torch::Tensor product(const PartReader &parts, const torch::Tensor &a, const torch::Tensor &b, std::int64_t most);

/// The weight whose outputs OFT's or BOFT's blocks have turned.
torch::Tensor rotated(const PartReader &parts);
/// The same of inputs, as peft has them: "oft_r" are the upper halves of skew blocks, "boft_r" blocks by level, with a
/// factor for each output.
torch::Tensor rotatedInputs(const PartReader &parts);

}  // namespace sg::adapters
