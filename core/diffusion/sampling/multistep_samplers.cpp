// Samplers that remember the slopes or guesses of earlier steps and call the network once a step.
#include "core/diffusion/sampling/sigma_walk.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace sg::sampling {
namespace {

constexpr std::size_t kLmsOrder = 4;
constexpr std::size_t kIpndmOrder = 4;
constexpr std::size_t kDeisOrder = 3;

/// Keeps the newest first.
void remember(SamplerState &state, const torch::Tensor &newest, std::size_t most)
{
    state.tensors.insert(state.tensors.begin(), newest);
    if (state.tensors.size() > most) state.tensors.pop_back();
}

/// Adds weights[k] of the k-th newest slope; `state.tensors` begins with this step's.
void combine(SamplerState &state, const std::vector<double> &weights)
{
    torch::Tensor sum = state.tensors[0] * weights[0];
    for (std::size_t k = 1; k < weights.size(); ++k)
        sum = sum + state.tensors[k] * weights[k];
    state.x = state.x + sum;
}

/// Source  Lu et al. 2022, arXiv:2211.01095, algorithm 2; first order at both ends.
torch::Tensor dpmpp2M(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    const float sigma = walk.at(state), next = walk.next(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    torch::Tensor target = denoised;
    // In the time -log sigma; a step to 0 has no end there and takes the clean picture.
    const float h = std::log(sigma) - std::log(next);
    if (!state.tensors.empty() && next > 0) {
        const float last = walk.sigmas[static_cast<std::size_t>(state.step) - 1];
        const float ratio = (std::log(last) - std::log(sigma)) / h;
        target = (1 + 1 / (2 * ratio)) * denoised - 1 / (2 * ratio) * state.tensors[0];
    }
    state.x = next > 0 ? next / sigma * state.x - std::expm1(-h) * target : denoised;
    state.tensors = {denoised};
    return denoised;
}

/// The integral from `from` to `to` of the Lagrange polynomial that is 1 at nodes[j] and 0 at the other nodes, times
/// `density`; exact for polynomials up to the ninth degree in each of `parts` pieces.
double lagrangeIntegral(const std::vector<double> &nodes, std::size_t j, double from, double to, int parts,
                        const std::function<double(double)> &density)
{
    constexpr std::array<double, 5> kPlaces{-0.9061798459386640, -0.5384693101056831, 0, 0.5384693101056831,
                                            0.9061798459386640};
    constexpr std::array<double, 5> kWeights{0.2369268850561891, 0.4786286704993665, 0.5688888888888889,
                                             0.4786286704993665, 0.2369268850561891};
    double sum = 0;
    const double width = (to - from) / parts;
    for (int part = 0; part < parts; ++part)
        for (std::size_t p = 0; p < kPlaces.size(); ++p) {
            const double at = from + width * (part + 0.5 + 0.5 * kPlaces[p]);
            double value = density(at);
            for (std::size_t k = 0; k < nodes.size(); ++k)
                if (k != j) value *= (at - nodes[k]) / (nodes[j] - nodes[k]);
            sum += 0.5 * width * kWeights[p] * value;
        }
    return sum;
}

/// Linear multistep over sigma. Source  k-diffusion, sampling.py (sample_lms).
torch::Tensor lms(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    const float sigma = walk.at(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    remember(state, slope(state.x, denoised, sigma), kLmsOrder);
    std::vector<double> nodes, weights;
    for (std::size_t k = 0; k < state.tensors.size(); ++k)
        nodes.push_back(static_cast<double>(walk.sigmas[static_cast<std::size_t>(state.step) - k]));
    for (std::size_t j = 0; j < nodes.size(); ++j)
        weights.push_back(
            lagrangeIntegral(nodes, j, nodes[0], static_cast<double>(walk.next(state)), 1, [](double) { return 1.0; }));
    combine(state, weights);
    return denoised;
}

/// A step of Adams and Bashforth's kind: `weightsFor` says what each slope counts for the step's length 1.
torch::Tensor slopeStep(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, std::size_t order,
                        const std::function<std::vector<double>(std::size_t)> &weightsFor)
{
    const float sigma = walk.at(state);
    const torch::Tensor denoised = model.x0(state.x, sigma);
    remember(state, slope(state.x, denoised, sigma), order);
    combine(state, weightsFor(state.tensors.size()));
    return denoised;
}

std::vector<double> scaled(std::vector<double> weights, double factor)
{
    for (double &weight : weights)
        weight *= factor;
    return weights;
}

/// The step to level 0 is as the others, so a picture is not the last guess: as in Forge and diffusers.
/// Source  Zhang and Chen 2022, arXiv:2204.13902 (iPNDM).
torch::Tensor ipndm(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    const double length = static_cast<double>(walk.next(state)) - static_cast<double>(walk.at(state));
    return slopeStep(walk, state, model, kIpndmOrder, [length](std::size_t order) -> std::vector<double> {
        if (order == 1) return {length};
        if (order == 2) return scaled({3, -1}, length / 2);
        if (order == 3) return scaled({23, -16, 5}, length / 12);
        return scaled({55, -59, 37, -9}, length / 24);
    });
}

/// iPNDM for steps of unequal length h, a, b, c (newest first). Its third and fourth order are not those of the formula
/// (docs/compatibility.md says where they differ); kept, because pictures depend on it.
/// Source  zju-pi/diff-sampler (sample_ipndm_v), by way of Forge.
std::vector<double> unequalWeights(std::size_t order, double h, double a, double b, double c)
{
    const double first = h / a / 2;
    if (order == 1) return {h};
    if (order == 2) return scaled({1 + first, -first}, h);
    const double third = (1 - h * h / (3 * a * (a + b))) / 2;
    const double ratio = a / b;
    if (order == 3) return scaled({1 + first + third, -first - (1 + ratio) * third, ratio * third}, h);
    const double sum = h + a;
    const double shape = (1 - h / (3 * sum)) / 2 + (1 - h / (2 * sum)) * h / (6 * (sum + b));
    const double fourth = shape * h * sum * (sum + b) / (a * (a + b) * (a + b + c));
    const double far = a * (a + b) / (b * (b + c));
    return scaled({1 + first + third + fourth, -first - (1 + ratio) * third - (1 + ratio + far) * fourth,
                   ratio * third + (ratio + far * (1 + b / c)) * fourth, -far * ratio * fourth},
                  h);
}

torch::Tensor ipndmV(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    const auto index = static_cast<std::size_t>(state.step);
    const auto gap = [&](std::size_t back) {
        if (back > index) return 1.0;  // of an order that is not reached yet
        return static_cast<double>(walk.sigmas[index + 1 - back]) - static_cast<double>(walk.sigmas[index - back]);
    };
    return slopeStep(walk, state, model, kIpndmOrder,
                     [&](std::size_t order) { return unequalWeights(order, gap(0), gap(1), gap(2), gap(3)); });
}

/// The time of the variance-preserving process in which DEIS takes its polynomials: betas rise linearly, and t = 0.001
/// and 1 are the levels 0.002 and 80, as in zju-pi/diff-sampler.
class DeisTime {
public:
    DeisTime()
    {
        const double low = std::log(0.002 * 0.002 + 1), high = std::log(80.0 * 80.0 + 1);
        m_rise = 2 * (low / 0.001 - high) / (0.001 - 1);
        m_start = high - 0.5 * m_rise;
    }
    double of(double sigma) const
    {
        return (std::sqrt(m_start * m_start + 2 * m_rise * std::log(sigma * sigma + 1)) - m_start) / m_rise;
    }
    /// dsigma/dt
    double speed(double t) const
    {
        const double grown = std::expm1(0.5 * m_rise * t * t + m_start * t);
        return (grown + 1) * (m_rise * t + m_start) / (2 * std::sqrt(grown));
    }

private:
    double m_rise = 0;
    double m_start = 0;
};

/// Source  Zhang and Chen 2022, arXiv:2204.13902 (tAB-DEIS).
torch::Tensor deis(const SigmaWalk &walk, SamplerState &state, const Denoiser &model, const SamplerNoise &)
{
    constexpr int kPieces = 32;
    const DeisTime time;
    const double sigma = static_cast<double>(walk.at(state)), next = static_cast<double>(walk.next(state));
    return slopeStep(walk, state, model, kDeisOrder, [&](std::size_t order) -> std::vector<double> {
        if (order == 1 || next <= 0) return {next - sigma};
        std::vector<double> nodes, weights;
        for (std::size_t k = 0; k < order; ++k)
            nodes.push_back(time.of(static_cast<double>(walk.sigmas[static_cast<std::size_t>(state.step) - k])));
        for (std::size_t j = 0; j < order; ++j)
            weights.push_back(
                lagrangeIntegral(nodes, j, nodes[0], time.of(next), kPieces, [&](double t) { return time.speed(t); }));
        return weights;
    });
}

}  // namespace

SigmaStep *findMultistepStep(std::string_view name)
{
    if (name == "DPM++ 2M") return dpmpp2M;
    if (name == "LMS") return lms;
    if (name == "IPNDM") return ipndm;
    if (name == "IPNDM_V") return ipndmV;
    if (name == "DEIS") return deis;
    return nullptr;
}

}  // namespace sg::sampling
