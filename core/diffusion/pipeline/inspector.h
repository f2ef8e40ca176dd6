#pragma once

#include "core/diffusion/nn/probe.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/sampling/sampler.h"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace sg {

/// Shows what an Inspection asks for: latents after each step, statistics of what the UNet's modules give, and where
/// one token of the wanted prompt is attended to, computed a second time in a slow way. Of a step that asks the network
/// several times, the first call; attention is that of the batch's first picture. Thread  the one that draws.
class Inspector final : public nn::Probe {
public:
    /// Both must outlive it.
    Inspector(const Inspection &wanted, GenerationSink &sink) : m_wanted(wanted), m_sink(sink) {}

    /// What comes now belongs to this step, 1….
    void beginStep(std::int64_t step);
    /// Shows the step's latents; the next step begins.
    void stepMade(std::int64_t number, const sampling::SamplerStep &step);

    void output(const torch::Tensor &made) override;
    void attention(const torch::Tensor &q, const torch::Tensor &k, std::int64_t heads) override;

private:
    bool first(const std::string &what);
    void show(Finding finding);

    const Inspection &m_wanted;
    GenerationSink &m_sink;
    std::int64_t m_step = 1;
    std::int64_t m_height = 0, m_width = 0;  // latent pixels
    std::set<std::string> m_seen;            // in this step
    std::size_t m_shown = 0;
    std::size_t m_latentBytes = 0;
};

/// Shapes  any. {"shape", "min", "max", "mean", "std", "notFinite": how many of its values are no numbers}; the others
/// are of those that are.
Json tensorStatistics(const torch::Tensor &tensor);

}  // namespace sg
