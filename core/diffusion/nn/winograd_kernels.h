#pragma once

#include <cstdint>

/// The transforms around the products of a 3x3 convolution by Winograd's method, F(4x4, 3x3): 6x6 pixels give 4x4 with
/// 36 multiplications a channel instead of 144. For one thread; needs kernels::available() of matrix_kernels.h.
/// The interpolation points 0, +-sqrt(1/2), +-sqrt(2), infinity err five times less than the usual 0, +-1, +-2.
/// Source  Lavin and Gray 2015, arXiv:1509.09308; the points: Barabasz et al. 2018, arXiv:1803.10986.
namespace sg::nn::kernels {

inline constexpr std::int64_t kTile = 4;                      ///< pixels of a tile's side that come out
inline constexpr std::int64_t kWindow = kTile + 2;            ///< pixels that it sees
inline constexpr std::int64_t kProducts = kWindow * kWindow;  ///< matrices to multiply

/// Shapes  panel [9, channels, kPanel], kernels of one panel of outputs as packPanel() makes it; to [channels, kPanel],
/// and kProducts of those `plane` floats apart.
void transformWeight(const float *panel, std::int64_t channels, float *to, std::int64_t plane);

/// pixels: kProducts pointers, row by row, each to `channels` floats, divisible by kLanes.
void transformInput(const float *const *pixels, std::int64_t channels, float *to, std::int64_t plane);

/// Where a tile's pixels go: at most kTile rows and columns, less at the picture's edge.
struct TileTarget {
    float *pixel;       ///< the first
    const float *plus;  ///< its counterpart in what is added, or null
    std::int64_t rowStep, columnStep;
    std::int64_t rows, columns;
};

/// Shapes  from: kProducts times `channels` floats, `plane` apart; bias [channels], or null. channels divisible by
/// kLanes.
void transformOutput(const float *from, std::int64_t plane, std::int64_t channels, const float *bias,
                     const TileTarget &target);

}  // namespace sg::nn::kernels
