#include "core/diffusion/sampling/noise_source.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

namespace sg::sampling {
namespace {

constexpr double kNearlyParallel = 0.9995;
constexpr std::int64_t kVectorAxis = 1;

}  // namespace

NoiseSource::NoiseSource(const std::vector<ImageSeed> &seeds, double subseedStrength, const Shape &shape)
    : m_seeds(seeds), m_subseedStrength(subseedStrength), m_shape(shape)
{
    for (const ImageSeed &seed : m_seeds)
        m_generators.push_back(at::detail::createCPUGenerator(seed.seed));
}

torch::Tensor NoiseSource::block(at::Generator &generator) const
{
    return at::randn({m_shape.channels, m_shape.height, m_shape.width}, generator, at::kFloat);
}

torch::Tensor NoiseSource::first()
{
    std::vector<torch::Tensor> blocks;
    for (std::size_t i = 0; i < m_generators.size(); ++i) {
        torch::Tensor noise = block(m_generators[i]);
        if (m_subseedStrength > 0) {
            at::Generator variation = at::detail::createCPUGenerator(m_seeds[i].subseed);
            noise = slerp(m_subseedStrength, noise, block(variation));
        }
        blocks.push_back(std::move(noise));
    }
    return torch::stack(blocks);
}

torch::Tensor NoiseSource::next()
{
    std::vector<torch::Tensor> blocks;
    for (at::Generator &generator : m_generators)
        blocks.push_back(block(generator));
    return torch::stack(blocks);
}

torch::Tensor slerp(double weight, const torch::Tensor &from, const torch::Tensor &to)
{
    const torch::Tensor fromUnit = from / from.norm(2, {kVectorAxis}, true);
    const torch::Tensor toUnit = to / to.norm(2, {kVectorAxis}, true);
    const torch::Tensor cosine = (fromUnit * toUnit).sum(kVectorAxis);
    // A1111 has the two weights the other way round here; kept, because pictures depend on it.
    if (cosine.mean().item<float>() > kNearlyParallel) return weight * from + (1 - weight) * to;
    const torch::Tensor angle = torch::acos(cosine);
    const torch::Tensor sine = torch::sin(angle);
    const torch::Tensor fromShare = torch::sin((1.0 - weight) * angle) / sine;
    const torch::Tensor toShare = torch::sin(weight * angle) / sine;
    return fromShare.unsqueeze(kVectorAxis) * from + toShare.unsqueeze(kVectorAxis) * to;
}

}  // namespace sg::sampling
