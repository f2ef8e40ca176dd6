#pragma once

#include "core/diffusion/sampling/brownian_tree.h"

#include <ATen/core/Generator.h>
#include <torch/types.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sg::sampling {

struct ImageSeed {
    std::uint64_t seed = 0;
    std::uint64_t subseed = 0;
};

/// Which generator draws. Nv: the numbers of an NVIDIA GPU, computed on the CPU. Gpu: those of the device in use.
enum class RandomSource { Cpu, Nv, Gpu };
/// "CPU", "NV", "GPU". Errors  throws Failure InvalidArgument for another name.
RandomSource randomSourceOf(std::string_view name);

/// One picture's stream of noise blocks. A value: a copy draws on by itself.
class NoiseGenerator {
public:
    /// Errors  throws Failure InvalidArgument for source Gpu without a GPU.
    NoiseGenerator(RandomSource source, std::uint64_t seed, torch::Device device);
    NoiseGenerator(const NoiseGenerator &other);
    NoiseGenerator &operator=(const NoiseGenerator &other);
    NoiseGenerator(NoiseGenerator &&) = default;
    NoiseGenerator &operator=(NoiseGenerator &&) = default;
    ~NoiseGenerator() = default;

    /// The next block. Shapes  as asked, float32 on the CPU.
    torch::Tensor draw(const std::vector<std::int64_t> &shape);

private:
    RandomSource m_source;
    std::uint64_t m_seed;
    torch::Device m_device;
    std::uint32_t m_calls = 0;
    at::Generator m_generator;
};

/// A1111's noise: one generator per picture, so that a batch equals its pictures made one by one. A copy goes on by
/// itself from where it was made, which is how a run is parked. Shapes  every draw is [images, channels, height,
/// width], latent pixels, float32 on the CPU.
class NoiseSource {
public:
    struct Shape {
        std::int64_t channels = 4;
        std::int64_t height = 0;
        std::int64_t width = 0;
    };
    struct Settings {
        RandomSource source = RandomSource::Cpu;
        torch::Device device = torch::kCPU;  ///< of source Gpu
        double subseedStrength = 0;
        std::int64_t resizeFromHeight = 0;  ///< latent pixels; with the width: noise of that size in the middle
        std::int64_t resizeFromWidth = 0;
        std::int64_t seedDelta = 0;  ///< ENSD: added to the seeds of all but the first draw
    };
    NoiseSource(std::vector<ImageSeed> seeds, const Shape &shape, Settings settings);
    NoiseSource(std::vector<ImageSeed> seeds, double subseedStrength, const Shape &shape);

    /// What sampling starts from: each generator's first block, with a subseed bent towards the subseed's first block.
    torch::Tensor first();
    /// Each generator's following block, for samplers that add noise.
    torch::Tensor next();

    /// Opens the Brownian path over all levels of a schedule; between() then asks for its pieces.
    void openPath(const std::vector<float> &sigmas);
    /// Divided by the root of the distance; negative when the level falls, as k-diffusion has it.
    torch::Tensor between(float sigma, float nextSigma);

private:
    std::vector<std::int64_t> blockShape() const { return {m_shape.channels, m_shape.height, m_shape.width}; }
    torch::Tensor firstOf(const ImageSeed &seed, NoiseGenerator &generator) const;

    std::vector<ImageSeed> m_seeds;
    Shape m_shape;
    Settings m_settings;
    std::vector<NoiseGenerator> m_generators;
    std::vector<BrownianTree> m_paths;
};

/// Interpolation on the sphere between two noise blocks [C, H, W], with the vectors along H as A1111 takes them.
torch::Tensor slerp(double weight, const torch::Tensor &from, const torch::Tensor &to);

}  // namespace sg::sampling
