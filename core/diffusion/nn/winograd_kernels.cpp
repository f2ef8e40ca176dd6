#include "core/diffusion/nn/winograd_kernels.h"

#include "core/diffusion/nn/matrix_kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace sg::nn::kernels {
namespace {

constexpr double kRoot = 1.41421356237309504880;
constexpr int kTaps = 3;

__m256 constant(double value)
{
    return _mm256_set1_ps(static_cast<float>(value));
}

// One direction of the kernels' transform: three values into six, `step` apart.
inline void widen(const __m256 *k, __m256 *to, int step)
{
    const __m256 third = constant(1.0 / 3), outerRoot = constant(kRoot / 3), innerRoot = constant(kRoot / 6);
    const __m256 outer = _mm256_fnmadd_ps(constant(2.0 / 3), k[0], _mm256_mul_ps(constant(-1.0 / 3), k[2]));
    const __m256 inner = _mm256_fmadd_ps(third, k[2], _mm256_mul_ps(constant(1.0 / 6), k[0]));
    to[0] = k[0];
    to[step] = _mm256_fnmadd_ps(outerRoot, k[1], outer);
    to[2 * step] = _mm256_fmadd_ps(outerRoot, k[1], outer);
    to[3 * step] = _mm256_fmadd_ps(innerRoot, k[1], inner);
    to[4 * step] = _mm256_fnmadd_ps(innerRoot, k[1], inner);
    to[5 * step] = k[2];
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

void transformWeight(const float *panel, std::int64_t channels, float *to, std::int64_t plane)
{
    for (std::int64_t at = 0; at < channels * kPanel; at += kLanes) {
        __m256 half[kProducts];
        for (int column = 0; column < kTaps; ++column) {
            __m256 kernel[kTaps];
            for (int row = 0; row < kTaps; ++row)
                kernel[row] = _mm256_loadu_ps(panel + (row * kTaps + column) * channels * kPanel + at);
            widen(kernel, half + column, kWindow);
        }
        for (int row = 0; row < kWindow; ++row) {
            __m256 done[kWindow];
            widen(half + row * kWindow, done, 1);
            for (int column = 0; column < kWindow; ++column)
                _mm256_storeu_ps(to + (row * kWindow + column) * plane + at, done[column]);
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
