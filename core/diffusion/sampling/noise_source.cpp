#include "core/diffusion/sampling/noise_source.h"

#include "core/base/error.h"
#include "core/diffusion/sampling/philox.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/util/accumulate.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace sg::sampling {
namespace {

constexpr double kNearlyParallel = 0.9995;
constexpr std::int64_t kVectorAxis = 1;

std::int64_t floorHalf(std::int64_t value)
{
    return value >= 0 ? value / 2 : -((1 - value) / 2);
}

at::Generator makeGenerator(RandomSource source, std::uint64_t seed, torch::Device device)
{
    if (source == RandomSource::Cpu) return at::detail::createCPUGenerator(seed);
    if (source == RandomSource::Nv) return {};
    if (!device.is_cuda())
        throw Failure{{ErrorCode::InvalidArgument,
                       "random numbers from the GPU need a GPU, and this engine runs on the CPU: take \"NV\", which "
                       "draws the same numbers, or \"CPU\"",
                       "randn_source"}};
    at::Generator generator = at::globalContext().defaultGenerator(device).clone();
    generator.set_current_seed(seed);
    return generator;
}

/// The small noise in the middle of the large one, or its middle when it is larger.
void pasteCentred(torch::Tensor &large, const torch::Tensor &small)
{
    const auto along = [&](std::int64_t axis) {
        const std::int64_t offset = floorHalf(large.size(axis) - small.size(axis));
        const std::int64_t length = offset >= 0 ? small.size(axis) : small.size(axis) + 2 * offset;
        return std::pair(offset, std::max<std::int64_t>(length, 0));
    };
    const auto [dy, height] = along(1);
    const auto [dx, width] = along(2);
    const auto cut = [&](const torch::Tensor &whole, std::int64_t y, std::int64_t x) {
        return whole.narrow(1, std::max<std::int64_t>(y, 0), height).narrow(2, std::max<std::int64_t>(x, 0), width);
    };
    cut(large, dy, dx).copy_(cut(small, -dy, -dx));
}

}  // namespace

RandomSource randomSourceOf(std::string_view name)
{
    if (name == "CPU") return RandomSource::Cpu;
    if (name == "NV") return RandomSource::Nv;
    if (name == "GPU") return RandomSource::Gpu;
    throw Failure{
        {ErrorCode::InvalidArgument, "unknown source of random numbers \"" + std::string(name) + "\"", "randn_source"}};
}

NoiseGenerator::NoiseGenerator(RandomSource source, std::uint64_t seed, torch::Device device)
    : m_source(source), m_seed(seed), m_device(device), m_generator(makeGenerator(source, seed, device))
{
}

NoiseGenerator::NoiseGenerator(const NoiseGenerator &other)
    : m_source(other.m_source), m_seed(other.m_seed), m_device(other.m_device), m_calls(other.m_calls),
      m_generator(other.m_generator.defined() ? other.m_generator.clone() : other.m_generator)
{
}

NoiseGenerator &NoiseGenerator::operator=(const NoiseGenerator &other)
{
    NoiseGenerator copy(other);
    std::swap(*this, copy);
    return *this;
}

torch::Tensor NoiseGenerator::draw(const std::vector<std::int64_t> &shape)
{
    if (m_source == RandomSource::Nv) {
        const auto count = static_cast<std::size_t>(c10::multiply_integers(shape));
        return at::tensor(philoxNormal(m_seed, m_calls++, count)).view(shape);
    }
    const at::TensorOptions where =
        at::TensorOptions(at::kFloat).device(m_source == RandomSource::Gpu ? m_device : torch::Device(torch::kCPU));
    return at::randn(shape, m_generator, where).cpu();
}

NoiseSource::NoiseSource(std::vector<ImageSeed> seeds, const Shape &shape, Settings settings)
    : m_seeds(std::move(seeds)), m_shape(shape), m_settings(settings)
{
    for (const ImageSeed &seed : m_seeds)
        m_generators.emplace_back(m_settings.source, seed.seed, m_settings.device);
}

NoiseSource::NoiseSource(std::vector<ImageSeed> seeds, double subseedStrength, const Shape &shape)
    : NoiseSource(std::move(seeds), shape, Settings{.subseedStrength = subseedStrength})
{
}

torch::Tensor NoiseSource::firstOf(const ImageSeed &seed, NoiseGenerator &generator) const
{
    const auto fresh = [&](std::uint64_t number, const std::vector<std::int64_t> &shape) {
        return NoiseGenerator(m_settings.source, number, m_settings.device).draw(shape);
    };
    const bool resized = m_settings.resizeFromHeight > 0 && m_settings.resizeFromWidth > 0 &&
                         (m_settings.resizeFromHeight != m_shape.height || m_settings.resizeFromWidth != m_shape.width);
    std::vector<std::int64_t> size = blockShape();
    if (resized) size = {m_shape.channels, m_settings.resizeFromHeight, m_settings.resizeFromWidth};
    torch::Tensor noise = resized ? fresh(seed.seed, size) : generator.draw(size);
    if (m_settings.subseedStrength > 0) noise = slerp(m_settings.subseedStrength, noise, fresh(seed.subseed, size));
    if (!resized) return noise;
    torch::Tensor large = generator.draw(blockShape());
    pasteCentred(large, noise);
    return large;
}

torch::Tensor NoiseSource::first()
{
    std::vector<torch::Tensor> blocks;
    for (std::size_t i = 0; i < m_generators.size(); ++i) {
        blocks.push_back(firstOf(m_seeds[i], m_generators[i]));
        if (m_settings.seedDelta != 0)
            m_generators[i] =
                NoiseGenerator(m_settings.source, m_seeds[i].seed + static_cast<std::uint64_t>(m_settings.seedDelta),
                               m_settings.device);
    }
    return torch::stack(blocks);
}

torch::Tensor NoiseSource::next()
{
    std::vector<torch::Tensor> blocks;
    for (NoiseGenerator &generator : m_generators)
        blocks.push_back(generator.draw(blockShape()));
    return torch::stack(blocks);
}

void NoiseSource::openPath(const std::vector<float> &sigmas)
{
    float least = std::numeric_limits<float>::infinity(), most = 0;
    for (const float sigma : sigmas) {
        if (sigma > 0) least = std::min(least, sigma);
        most = std::max(most, sigma);
    }
    m_paths.clear();
    for (const ImageSeed &seed : m_seeds)
        m_paths.emplace_back(static_cast<double>(least), static_cast<double>(most), seed.seed,
                             [source = m_settings.source, device = m_settings.device, shape = blockShape()](
                                 std::uint32_t number) { return NoiseGenerator(source, number, device).draw(shape); });
}

torch::Tensor NoiseSource::between(float sigma, float nextSigma)
{
    const auto [low, high] = std::minmax(sigma, nextSigma);
    std::vector<torch::Tensor> pieces;
    for (BrownianTree &path : m_paths)
        pieces.push_back(path.increment(static_cast<double>(low), static_cast<double>(high)));
    const torch::Tensor all = torch::stack(pieces) * (sigma < nextSigma ? 1 : -1);
    return all / std::sqrt(std::abs(nextSigma - sigma));
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
