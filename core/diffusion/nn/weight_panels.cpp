#include "core/diffusion/nn/weight_panels.h"

namespace sg::nn::kernels {

std::int64_t bytesOf(Number number)
{
    return number == Number::Float ? 4 : 2;
}

}  // namespace sg::nn::kernels

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")

namespace sg::nn::kernels {
namespace {

struct Half {
    std::uint16_t bits;
};
struct Brain {
    std::uint16_t bits;
};

inline __m256 read(const float *from)
{
    return _mm256_loadu_ps(from);
}

inline __m256 read(const Half *from)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
}

inline __m256 read(const Brain *from)
{
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

// Eight rows of eight numbers, turned: columns[i] holds number i of each row.
template <class T>
inline void turn(const T *from, std::int64_t step, __m256 *columns)
{
    __m256 r[kLanes], t[kLanes];
    for (int i = 0; i < kLanes; ++i)
        r[i] = read(from + i * step);
    for (int i = 0; i < kLanes; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < kLanes; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        columns[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        columns[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
}

template <class T>
void pack(const T *from, std::int64_t step, std::int64_t channels, std::int64_t taps, float *to)
{
    __m256 columns[kLanes];
    for (std::int64_t lane = 0; lane < kPanel; lane += kLanes) {
        std::int64_t channel = 0, tap = 0;
        for (std::int64_t i = 0; i < channels * taps; i += kLanes) {
            turn(from + lane * step + i, step, columns);
            for (const __m256 &column : columns) {
                _mm256_storeu_ps(to + (tap * channels + channel) * kPanel + lane, column);
                if (++tap < taps) continue;
                tap = 0;
                ++channel;
            }
        }
    }
}

}  // namespace

void packPanel(const void *from, Number number, std::int64_t step, std::int64_t channels, std::int64_t taps, float *to)
{
    switch (number) {
    case Number::Float:
        return pack(static_cast<const float *>(from), step, channels, taps, to);
    case Number::Half:
        return pack(static_cast<const Half *>(from), step, channels, taps, to);
    case Number::Brain:
        return pack(static_cast<const Brain *>(from), step, channels, taps, to);
    }
}

}  // namespace sg::nn::kernels
#pragma GCC pop_options
#else
namespace sg::nn::kernels {

void packPanel(const void *, Number, std::int64_t, std::int64_t, std::int64_t, float *) {}

}  // namespace sg::nn::kernels
#endif
