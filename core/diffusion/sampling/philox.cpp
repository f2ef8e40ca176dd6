#include "core/diffusion/sampling/philox.h"

#include <array>
#include <cmath>

namespace sg::sampling {
namespace {

using Block = std::array<std::uint32_t, 4>;

Block philox(Block counter, std::uint32_t low, std::uint32_t high)
{
    constexpr int kRounds = 10;
    for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t first = std::uint64_t{0xd2511f53U} * counter[0];
        const std::uint64_t second = std::uint64_t{0xcd9e8d57U} * counter[2];
        counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ low, static_cast<std::uint32_t>(second),
                   static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ high, static_cast<std::uint32_t>(first)};
        low += 0x9e3779b9U;
        high += 0xbb67ae85U;
    }
    return counter;
}

}  // namespace

std::vector<float> philoxNormal(std::uint64_t seed, std::uint32_t call, std::size_t count)
{
    constexpr double kUnit = 0x1p-32;
    constexpr double kAngle = 0x1.921fb6p-30;  // two pi over 2^32, in single precision
    std::vector<float> made(count);
    for (std::size_t i = 0; i < count; ++i) {
        const Block bits = philox({call, 0, static_cast<std::uint32_t>(i), 0}, static_cast<std::uint32_t>(seed),
                                  static_cast<std::uint32_t>(seed >> 32));
        const double radius = bits[0] * kUnit + kUnit / 2;
        const double angle = bits[1] * kAngle + kAngle / 2;
        made[i] = static_cast<float>(std::sqrt(-2 * std::log(radius)) * std::sin(angle));
    }
    return made;
}

}  // namespace sg::sampling
