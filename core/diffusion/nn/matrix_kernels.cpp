#include "core/diffusion/nn/matrix_kernels.h"

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,fma")

namespace sg::nn::kernels {
namespace {

constexpr std::int64_t kRows = 6;     // with two registers a row: 12 sums, which is what 16 registers hold
constexpr std::int64_t kDepth = 384;  // of one pass: a panel of b this deep stays in the first cache

// c (+)= a * b for R rows and one panel.
template <int R>
void block(std::int64_t k, const float *a, std::int64_t lda, const float *b, float *c, std::int64_t ldc, bool add)
{
    __m256 sum[R][2];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
        sum[r][0] = add ? _mm256_loadu_ps(c + r * ldc) : _mm256_setzero_ps();
        sum[r][1] = add ? _mm256_loadu_ps(c + r * ldc + 8) : _mm256_setzero_ps();
    }
    for (std::int64_t i = 0; i < k; ++i, b += kPanel) {
        const __m256 left = _mm256_loadu_ps(b), right = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
            const __m256 value = _mm256_broadcast_ss(a + r * lda + i);
            sum[r][0] = _mm256_fmadd_ps(value, left, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(value, right, sum[r][1]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
        _mm256_storeu_ps(c + r * ldc, sum[r][0]);
        _mm256_storeu_ps(c + r * ldc + 8, sum[r][1]);
    }
}

using Block = void (*)(std::int64_t, const float *, std::int64_t, const float *, float *, std::int64_t, bool);
constexpr Block kBlocks[] = {nullptr, block<1>, block<2>, block<3>, block<4>, block<5>, block<6>};

}  // namespace

bool available()
{
    static const bool kFound = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return kFound;
}

void multiply(std::int64_t rows, std::int64_t k, std::int64_t columns, const float *a, std::int64_t lda, const float *b,
              float *c, std::int64_t ldc)
{
    const std::int64_t passes = (k + kDepth - 1) / kDepth, depth = (k + passes - 1) / passes;
    for (std::int64_t begin = 0; begin < k; begin += depth) {
        const std::int64_t now = std::min(depth, k - begin);
        for (std::int64_t column = 0; column < columns; column += kPanel) {
            const float *panel = b + column * k + begin * kPanel;
            for (std::int64_t row = 0; row < rows; row += kRows) {
                kBlocks[std::min(kRows, rows - row)](now, a + row * lda + begin, lda, panel, c + row * ldc + column,
                                                     ldc, begin > 0);
            }
        }
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

void multiply(std::int64_t, std::int64_t, std::int64_t, const float *, std::int64_t, const float *, float *,
              std::int64_t)
{
}

}  // namespace sg::nn::kernels
#endif
