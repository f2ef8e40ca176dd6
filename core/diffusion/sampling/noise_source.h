#pragma once

#include <ATen/core/Generator.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace sg::sampling {

struct ImageSeed {
    std::uint64_t seed = 0;
    std::uint64_t subseed = 0;
};

/// A1111's noise with the CPU as its source: one generator per picture, so that a batch equals its pictures made one by
/// one. Shapes  every draw is [images, channels, height, width], latent pixels, float32 on the CPU.
class NoiseSource {
public:
    struct Shape {
        std::int64_t channels = 4;
        std::int64_t height = 0;
        std::int64_t width = 0;
    };
    NoiseSource(const std::vector<ImageSeed> &seeds, double subseedStrength, const Shape &shape);

    /// What sampling starts from: each generator's first block, with a subseed bent towards the subseed's first block.
    torch::Tensor first();
    /// Each generator's following block, for samplers that add noise.
    torch::Tensor next();

private:
    torch::Tensor block(at::Generator &generator) const;

    std::vector<ImageSeed> m_seeds;
    double m_subseedStrength;
    Shape m_shape;
    std::vector<at::Generator> m_generators;
};

/// Interpolation on the sphere between two noise blocks [C, H, W], with the vectors along H as A1111 takes them.
torch::Tensor slerp(double weight, const torch::Tensor &from, const torch::Tensor &to);

}  // namespace sg::sampling
