// Which network a walk asks and with how many rows: the refiner's switch point, by numbers worked out from A1111's
// rule, and guidance that costs nothing at scale 1.
#include "core/diffusion/nn/bind.h"
#include "core/diffusion/nn/probe.h"
#include "core/diffusion/pipeline/sampling_pass.h"
#include "core/modelfile/safetensors.h"
#include "tests/support/check.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace sg;

/// Two tiny UNets of different widths, by which the probe tells them apart.
constexpr std::int64_t kBaseWidth = 4, kRefinerWidth = 6;
constexpr const char *kBase = "sd1", *kRefiner = "linear";

Checkpoint unetOf(const std::string &name)
{
    const auto index = readSafetensors(SG_SOURCE_DIR "/tests/parity/networks/" + name + ".safetensors");
    const auto file = nn::MappedFile::open(index->path(), index->identity());
    Checkpoint model;
    model.config.unet = UNetConfig::detect(*index, "model.diffusion_model.");
    model.unet = UNet(model.config.unet);
    nn::BindReport report;
    nn::bind(*model.unet, "model.diffusion_model.", {*index, {*file}}, report);
    return model;
}

/// The width of the network that was asked, and its rows, call by call.
class Calls final : public nn::Probe {
public:
    void output(const torch::Tensor &made) override
    {
        if (name() == "input_blocks.0.0") list.emplace_back(made.size(1), made.size(0));
    }
    void attention(const torch::Tensor &, const torch::Tensor &, std::int64_t) override {}
    std::vector<std::pair<std::int64_t, std::int64_t>> list;
};

sampling::Guidance guidanceOf(const Checkpoint &model, double scale)
{
    const std::int64_t width = model.config.unet.contextDim;
    return {sampling::Conditioning{torch::ones({1, 77, width}), {}, {}},
            sampling::Conditioning{torch::zeros({1, 77, width}), {}, {}}, scale};
}

struct Walk {
    const char *sampler, *schedule;
    int steps;
};

std::vector<std::pair<std::int64_t, std::int64_t>> callsOf(const Walk &walk, double scale, std::int64_t batch,
                                                           std::optional<double> switchAt)
{
    Checkpoint base = unetOf(kBase), refiner = unetOf(kRefiner);
    SamplingPass pass(base, {.sampler = walk.sampler, .schedule = walk.schedule, .steps = walk.steps});
    if (switchAt) pass.setRefiner(refiner, *switchAt);
    sampling::SamplerContext context;
    context.noise.next = [batch] { return torch::ones({batch, 4, 8, 8}); };
    context.noise.between = [batch](float, float) { return torch::ones({batch, 4, 8, 8}); };
    Calls calls;
    const nn::Probe::Scope scope(&calls);
    (void)pass.run(guidanceOf(base, scale), guidanceOf(refiner, scale), torch::ones({batch, 4, 8, 8}), {}, context);
    return calls.list;
}

/// How many calls went to the first network; -1 when one of them came after one of the refiner's.
std::int64_t callsOfBase(const Walk &walk, double switchAt, std::size_t expectedCalls)
{
    const auto calls = callsOf(walk, 1, 1, switchAt);
    CHECK(calls.size() == expectedCalls);
    const auto isRefiner = [](const auto &call) { return call.first == kRefinerWidth; };
    const auto first = std::find_if(calls.begin(), calls.end(), isRefiner);
    CHECK(std::all_of(calls.begin(), first, [](const auto &call) { return call.first == kBaseWidth; }));
    return std::all_of(first, calls.end(), isRefiner) ? first - calls.begin() : -1;
}

}  // namespace

// (999 - j) / 1000 >= switch_at, where j is the level whose sigma is nearest (k-diffusion's samplers) or the timestep.
SG_CASE(the_refiner_takes_over_at_its_share_of_the_levels)
{
    struct Row {
        Walk walk;
        std::size_t calls;
        std::int64_t at3, at5, at8;  // calls of the first network with switch 0.3, 0.5, 0.8
    };
    for (const Row &row : {
             // Levels 999, 888, 777, 666, 555, 444, 333, 222, 111, 0.
             Row{{"Euler", "uniform", 10}, 10, 3, 5, 8},
             // Levels 999, 916, 815, 687, 523, 327, 146, 41, 7, 0.
             Row{{"Euler", "karras", 10}, 10, 3, 5, 6},
             Row{{"DPM++ 2M", "karras", 10}, 10, 3, 5, 6},
             // The same levels; every step but the last asks at its end too.
             Row{{"Heun", "karras", 10}, 19, 5, 9, 11},
             // Timesteps 901, 801, … 101: the first three are 0.098, 0.198 and 0.298 of the way.
             Row{{"DDIM", "automatic", 10}, 9, 3, 5, 8},
         }) {
        CHECK(callsOfBase(row.walk, 0.3, row.calls) == row.at3);
        CHECK(callsOfBase(row.walk, 0.5, row.calls) == row.at5);
        CHECK(callsOfBase(row.walk, 0.8, row.calls) == row.at8);
        CHECK(callsOfBase(row.walk, 0, row.calls) == 0);
        CHECK(callsOfBase(row.walk, 1, row.calls) == static_cast<std::int64_t>(row.calls));
    }
}

// Restart goes back up to noisier levels; the refiner stays.
SG_CASE(the_refiner_never_hands_back)
{
    const Walk walk{"Restart", "karras", 20};
    const auto alone = callsOf(walk, 1, 1, std::nullopt);
    const std::int64_t first = callsOfBase(walk, 0.9, alone.size());
    CHECK(first > 0 && first < static_cast<std::int64_t>(alone.size()));
}

SG_CASE(guidance_of_one_costs_one_row)
{
    for (const char *sampler : {"Euler", "LCM", "DDIM", "DPM++ SDE"})
        for (const std::int64_t batch : {1, 3}) {
            const auto plain = callsOf({sampler, "automatic", 4}, 1, batch, std::nullopt);
            const auto guided = callsOf({sampler, "automatic", 4}, 7.5, batch, std::nullopt);
            CHECK(!plain.empty() && plain.size() == guided.size());
            for (std::size_t i = 0; i < plain.size(); ++i)
                CHECK(plain[i].second == batch && guided[i].second == 2 * batch);
        }
}
