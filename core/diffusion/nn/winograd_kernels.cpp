#include "core/diffusion/nn/winograd_kernels.h"

#include "core/diffusion/nn/matrix_kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace sg::nn::kernels {
namespace {

constexpr double kRoot = 1.41421356237309504880;

// The kernels' transform, one row a product of one direction.
constexpr double kKernel[kWindow][3] = {{1, 0, 0},
                                        {-2.0 / 3, -kRoot / 3, -1.0 / 3},
                                        {-2.0 / 3, kRoot / 3, -1.0 / 3},
                                        {1.0 / 6, kRoot / 6, 1.0 / 3},
                                        {1.0 / 6, -kRoot / 6, 1.0 / 3},
                                        {0, 0, 1}};

__m256 constant(double value)
{
    return _mm256_set1_ps(static_cast<float>(value));
}

// One direction of the input's transform: six values, `step` apart, in place.
inline void spread(__m256 *d, int step)
{
    const __m256 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const __m256 root = constant(kRoot), half = constant(kRoot / 2), much = constant(2.5);
    const __m256 outerEven = _mm256_fnmadd_ps(constant(2), d2, d4);
    const __m256 outerOdd = _mm256_fmsub_ps(half, d3, _mm256_mul_ps(root, d1));
    const __m256 innerEven = _mm256_fnmadd_ps(constant(0.5), d2, d4);
    const __m256 innerOdd = _mm256_fmsub_ps(root, d3, _mm256_mul_ps(half, d1));
    d[0] = _mm256_add_ps(_mm256_fnmadd_ps(much, d2, d0), d4);
    d[step] = _mm256_add_ps(outerEven, outerOdd);
    d[2 * step] = _mm256_sub_ps(outerEven, outerOdd);
    d[3 * step] = _mm256_add_ps(innerEven, innerOdd);
    d[4 * step] = _mm256_sub_ps(innerEven, innerOdd);
    d[5 * step] = _mm256_add_ps(_mm256_fnmadd_ps(much, d3, d1), d5);
}

// One direction of the output's transform: six values, `step` apart, into the first four.
inline void gather(__m256 *m, int step)
{
    const __m256 outerSum = _mm256_add_ps(m[step], m[2 * step]), outer = _mm256_sub_ps(m[step], m[2 * step]);
    const __m256 innerSum = _mm256_add_ps(m[3 * step], m[4 * step]), inner = _mm256_sub_ps(m[3 * step], m[4 * step]);
    m[0] = _mm256_add_ps(_mm256_add_ps(m[0], outerSum), innerSum);
    m[step] = _mm256_fmadd_ps(constant(kRoot / 2), outer, _mm256_mul_ps(constant(kRoot), inner));
    m[2 * step] = _mm256_fmadd_ps(constant(0.5), outerSum, _mm256_mul_ps(constant(2), innerSum));
    m[3 * step] = _mm256_fmadd_ps(constant(kRoot / 4), outer, _mm256_fmadd_ps(constant(2 * kRoot), inner, m[5 * step]));
}

}  // namespace

void transformWeight(const float *weight, std::int64_t in, float *to, std::int64_t plane)
{
    for (std::int64_t channel = 0; channel < in; ++channel) {
        double kernel[3][3][kPanel], half[kWindow][3][kPanel];
        for (int lane = 0; lane < kPanel; ++lane)
            for (int i = 0; i < 9; ++i)
                kernel[i / 3][i % 3][lane] = weight[(lane * in + channel) * 9 + i];
        for (int row = 0; row < kWindow; ++row)
            for (int column = 0; column < 3; ++column)
                for (int lane = 0; lane < kPanel; ++lane)
                    half[row][column][lane] = kKernel[row][0] * kernel[0][column][lane] +
                                              kKernel[row][1] * kernel[1][column][lane] +
                                              kKernel[row][2] * kernel[2][column][lane];
        for (int row = 0; row < kWindow; ++row)
            for (int column = 0; column < kWindow; ++column) {
                float *at = to + (row * kWindow + column) * plane + channel * kPanel;
                for (int lane = 0; lane < kPanel; ++lane)
                    at[lane] = static_cast<float>(kKernel[column][0] * half[row][0][lane] +
                                                  kKernel[column][1] * half[row][1][lane] +
                                                  kKernel[column][2] * half[row][2][lane]);
            }
    }
}

void transformInput(const float *const *pixels, std::int64_t channels, float *to, std::int64_t plane)
{
    for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
        __m256 d[kProducts];
        for (int i = 0; i < kProducts; ++i)
            d[i] = _mm256_loadu_ps(pixels[i] + channel);
        for (int column = 0; column < kWindow; ++column)
            spread(d + column, kWindow);
        for (int row = 0; row < kWindow; ++row) {
            spread(d + row * kWindow, 1);
            for (int i = row * kWindow; i < (row + 1) * kWindow; ++i)
                _mm256_storeu_ps(to + i * plane + channel, d[i]);
        }
    }
}

void transformOutput(const float *from, std::int64_t plane, std::int64_t channels, const float *bias,
                     const TileTarget &target)
{
    for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
        __m256 m[kProducts];
        for (int i = 0; i < kProducts; ++i)
            m[i] = _mm256_loadu_ps(from + i * plane + channel);
        for (int column = 0; column < kWindow; ++column)
            gather(m + column, kWindow);
        const __m256 shift = bias ? _mm256_loadu_ps(bias + channel) : _mm256_setzero_ps();
        for (int row = 0; row < target.rows; ++row) {
            gather(m + row * kWindow, 1);
            for (int column = 0; column < target.columns; ++column) {
                const std::int64_t at = row * target.rowStep + column * target.columnStep + channel;
                __m256 value = _mm256_add_ps(m[row * kWindow + column], shift);
                if (target.plus) value = _mm256_add_ps(value, _mm256_loadu_ps(target.plus + at));
                _mm256_storeu_ps(target.pixel + at, value);
            }
        }
    }
}

}  // namespace sg::nn::kernels
#pragma GCC pop_options
#else
namespace sg::nn::kernels {

void transformWeight(const float *, std::int64_t, float *, std::int64_t) {}

void transformInput(const float *const *, std::int64_t, float *, std::int64_t) {}

void transformOutput(const float *, std::int64_t, std::int64_t, const float *, const TileTarget &) {}

}  // namespace sg::nn::kernels
#endif
