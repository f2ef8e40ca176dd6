#pragma once

#include <cstdint>

/// Float32 arithmetic for one thread, written for processors with AVX2 and FMA: whoever calls it must have asked
/// available(). Columns go in panels of kPanel: a packed matrix [k, n] is [n / kPanel][k][kPanel].
namespace sg::nn::kernels {

inline constexpr std::int64_t kLanes = 8;  ///< floats in a register
inline constexpr std::int64_t kPanel = 16;

/// Whether this processor can run what is in here.
bool available();

/// c = a * b. Shapes  a [rows, k], rows lda apart; b packed [k, columns]; c [rows, columns], rows ldc apart;
/// columns divisible by kPanel.
void multiply(std::int64_t rows, std::int64_t k, std::int64_t columns, const float *a, std::int64_t lda, const float *b,
              float *c, std::int64_t ldc);

}  // namespace sg::nn::kernels
