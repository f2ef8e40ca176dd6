#pragma once

#include <cstdint>

/// Float32 arithmetic for one thread, written for processors with AVX2, FMA and F16C: whoever calls it must have asked
/// available(). Columns go in panels of kPanel.
namespace sg::nn::kernels {

inline constexpr std::int64_t kLanes = 8;  ///< floats in a register
inline constexpr std::int64_t kPanel = 16;
inline constexpr std::int64_t kRowGroup = 6;  ///< rows that are multiplied together
inline constexpr std::int64_t kDepth = 384;   ///< of one pass: a panel this deep stays in the first cache

/// Whether this processor can run what is in here.
bool available();

/// Rows that lie in pieces, one for each tap of a convolution's kernel, times one panel.
struct PieceProduct {
    std::int64_t rows = 0, taps = 1;
    std::int64_t depth = 0;                ///< floats of a piece
    const float *const *pieces = nullptr;  ///< [taps], tapStep apart, of [rows]; the same for all passes
    std::int64_t tapStep = 0;              ///< between the taps' lists
    std::int64_t offset = 0;               ///< in each piece, of this pass
    const float *panel = nullptr;          ///< [taps, depth, kPanel]
    const std::int64_t *places = nullptr;  ///< [rows]: where a row's results lie in c and in start
    float *c = nullptr;                    ///< gets start + bias + the product
    const float *start = nullptr;          ///< may be c, or null
    const float *bias = nullptr;           ///< [kPanel], or null
};
void multiply(const PieceProduct &product);

}  // namespace sg::nn::kernels
