#pragma once

#include "core/diffusion/nn/matrix_kernels.h"

#include <cstdint>

/// Weights as they lie in a file, made into panels for matrix_kernels.h. For one thread; needs kernels::available().
namespace sg::nn::kernels {

enum class Number { Float, Half, Brain };  ///< float32, float16, bfloat16

std::int64_t bytesOf(Number number);

/// Shapes  from: kPanel rows of numbers [channels, taps], `step` numbers apart; to [taps, channels, kPanel].
/// channels * taps divisible by kLanes.
void packPanel(const void *from, Number number, std::int64_t step, std::int64_t channels, std::int64_t taps, float *to);

}  // namespace sg::nn::kernels
