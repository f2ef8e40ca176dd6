#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sg::sampling {

/// Normally distributed numbers as an NVIDIA GPU's torch draws them, computed on the CPU: A1111's source "NV".
/// `call` counts the draws of a generator, whatever their size.
/// Source  Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10), Box and Muller 1958.
std::vector<float> philoxNormal(std::uint64_t seed, std::uint32_t call, std::size_t count);

}  // namespace sg::sampling
