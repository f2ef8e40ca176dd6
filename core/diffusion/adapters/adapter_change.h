#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sg::adapters {

/// One layer's tensors of an adapter's file, float32, by part: "lora_up", "alpha", "hada_w1_a", … (adapter_keys.h).
using Parts = std::map<std::string, torch::Tensor, std::less<>>;

/// How strongly an adapter acts on a layer.
struct Strength {
    double multiplier = 1;
    std::optional<std::int64_t> ranks;  ///< only so many of LoRA's ranks are used
};

/// What is to be added to a layer's weight and bias; undefined where nothing is.
struct Change {
    torch::Tensor weight, bias;
    torch::Tensor biasFactors;  ///< what a bias that the layer may have is multiplied by
};

/// What `parts` make of a layer: LoRA, LoCon, LoHa, LoKr, IA3, OFT, BOFT, GLoRA, Norm or Full, each perhaps with DoRA.
/// Shapes  weight [out, in], [out, in, height, width] or [channels], as it is when the adapter's turn comes.
/// Dtype   float32.
/// Errors  throws Failure UnusableFile naming the rule, the parts' shapes and the weight's.
/// Source  Hu 2021 arXiv:2106.09685; Yeh 2023 arXiv:2309.14859 (LoCon, LoHa, LoKr); Liu 2024 arXiv:2402.09353 (DoRA);
///         Liu 2022 arXiv:2205.05638 (IA3); Qiu 2023 arXiv:2306.07280 (OFT); Liu 2023 arXiv:2311.06243 (BOFT);
///         Chavan 2023 arXiv:2306.07967 (GLoRA).
Change changeOf(const Parts &parts, const torch::Tensor &weight, const Strength &strength);

/// Whether changeOf() knows what to do with parts of these names.
bool isKnownKind(const std::map<std::string, std::string, std::less<>> &parts);

}  // namespace sg::adapters
