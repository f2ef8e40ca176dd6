#include "core/diffusion/nn/matrix_kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace sg::nn::kernels {
namespace {

// For R rows: with two registers a row, 6 of them have 12 sums, which is what 16 registers hold.
template <int R>
void block(const PieceProduct &p, std::int64_t row)
{
    const std::int64_t *const places = p.places + row;
    __m256 sum[R][2];
    const __m256 leftBias = p.bias ? _mm256_loadu_ps(p.bias) : _mm256_setzero_ps();
    const __m256 rightBias = p.bias ? _mm256_loadu_ps(p.bias + kLanes) : _mm256_setzero_ps();
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
        sum[r][0] = leftBias;
        sum[r][1] = rightBias;
        if (!p.start) continue;
        sum[r][0] = _mm256_add_ps(sum[r][0], _mm256_loadu_ps(p.start + places[r]));
        sum[r][1] = _mm256_add_ps(sum[r][1], _mm256_loadu_ps(p.start + places[r] + kLanes));
    }
    const float *b = p.panel;
    for (std::int64_t tap = 0; tap < p.taps; ++tap) {
        const float *a[R];
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r)
            a[r] = p.pieces[tap * p.tapStep + row + r] + p.offset;
        for (std::int64_t i = 0; i < p.depth; ++i, b += kPanel) {
            const __m256 left = _mm256_loadu_ps(b), right = _mm256_loadu_ps(b + kLanes);
#pragma GCC unroll 6
            for (int r = 0; r < R; ++r) {
                const __m256 value = _mm256_broadcast_ss(a[r] + i);
                sum[r][0] = _mm256_fmadd_ps(value, left, sum[r][0]);
                sum[r][1] = _mm256_fmadd_ps(value, right, sum[r][1]);
            }
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
        _mm256_storeu_ps(p.c + places[r], sum[r][0]);
        _mm256_storeu_ps(p.c + places[r] + kLanes, sum[r][1]);
    }
}

using Block = void (*)(const PieceProduct &, std::int64_t);
constexpr Block kBlocks[] = {nullptr, block<1>, block<2>, block<3>, block<4>, block<5>, block<6>};

bool convertsHalves()
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

}  // namespace

bool available()
{
    static const bool kFound = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && convertsHalves();
    return kFound;
}

void multiply(const PieceProduct &product)
{
    // Groups of one size, as far as possible: a small one takes as long as a larger one.
    const std::int64_t groups = (product.rows + kRowGroup - 1) / kRowGroup;
    for (std::int64_t group = 0, row = 0; group < groups; ++group) {
        const std::int64_t next = (group + 1) * product.rows / groups;
        kBlocks[next - row](product, row);
        row = next;
    }
}

}  // namespace sg::nn::kernels
#pragma GCC pop_options
#else
namespace sg::nn::kernels {

bool available()
{
    return false;
}

void multiply(const PieceProduct &) {}

}  // namespace sg::nn::kernels
#endif
