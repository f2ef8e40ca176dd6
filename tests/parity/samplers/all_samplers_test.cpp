// Every sampler on every schedule, tails of schedules, Brownian trees and noise sources (make_all_samplers.py made the
// data).
#include "core/diffusion/sampling/philox.h"
#include "core/diffusion/sampling/sampling_plan.h"

#include "core/base/error.h"
#include "core/params/samplers.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <torch/types.h>

#include <set>

using namespace sg;
using namespace sg::sampling;

namespace {

constexpr double kTolerance = 1e-4;
constexpr std::uint64_t kSeed = 4294967295;
const NoiseSource::Shape kShape{4, 4, 4};
const std::vector<int> kSteps{5, 20, 37};
const std::vector<std::string> kSchedules{
    "uniform", "karras", "exponential", "polyexponential", "sgm_uniform", "kl_optimal", "align_your_steps", "simple",
    "normal",  "ddim",   "beta"};

const test::TensorFile &data()
{
    static const test::TensorFile file(SG_SOURCE_DIR "/tests/parity/samplers/all_samplers.safetensors");
    return file;
}

torch::Tensor epsOf(const torch::Tensor &x, float t)
{
    return 0.3 * torch::tanh(x) + 0.1 * x + static_cast<double>(t) / 2000.0;
}

/// Any smooth functions will do; the scripts have the same.
Denoiser fixedModel()
{
    return {[](const torch::Tensor &x, float sigma) {
                return x / (sigma * sigma + 1) + 0.4 * torch::tanh(x) / (1 + 0.1 * sigma);
            },
            epsOf,
            [](const torch::Tensor &x, float t, double share) {
                const torch::Tensor unwanted = 0.2 * torch::tanh(x) - 0.05 * x;
                return NoiseGuess{unwanted + (epsOf(x, t) - unwanted) * (7 * share), unwanted};
            }};
}

/// A run with its noise, as a task holds it.
struct Run {
    explicit Run(const PlanRequest &request, const torch::Tensor &latent = {})
        : plan(request, DiscreteSchedule()), noise({{kSeed, 0}}, 0, kShape)
    {
        plan.prepare(noise);
        state = plan.begin(noise.first(), latent);
    }
    static SamplerNoise noiseOf(NoiseSource &source)
    {
        return {[&source] { return source.next(); },
                [&source](float from, float to) { return source.between(from, to); }};
    }
    void step() { plan.sampler().step(state, fixedModel(), noiseOf(noise)); }
    bool finished() const { return plan.sampler().finished(state); }
    torch::Tensor finish()
    {
        while (!finished())
            step();
        return state.x;
    }

    SamplingPlan plan;
    NoiseSource noise;
    SamplerState state;
};

void compare(const std::string &what, const torch::Tensor &made, const torch::Tensor &wanted)
{
    const double error = test::relativeError(made.squeeze(0), wanted);
    if (!(error <= kTolerance)) std::printf("%s: %g\n", what.c_str(), error);
    CHECK(error <= kTolerance);
}

bool hasOwnRange(const std::string &name)
{
    return name == "DPM fast" || name == "DPM adaptive";
}

}  // namespace

SG_CASE(every_schedule)
{
    for (const std::string &schedule : kSchedules)
        for (const int n : kSteps) {
            const torch::Tensor &wanted = data().at("sigmas." + schedule + "." + std::to_string(n));
            const std::vector<float> made = sigmasFor(schedule, n, DiscreteSchedule());
            CHECK(static_cast<std::int64_t>(made.size()) == wanted.numel());
            for (std::size_t i = 0; i < made.size() && static_cast<std::int64_t>(i) < wanted.numel(); ++i)
                CHECK_NEAR(made[i], wanted[static_cast<std::int64_t>(i)].item<double>(),
                           2e-6 * std::max(static_cast<double>(made[i]), 1.0));
        }
}

SG_CASE(every_sampler_on_every_schedule)
{
    std::set<std::string> compared;
    for (const SamplerSpec &sampler : samplers()) {
        if (!sampler.usesSchedule || hasOwnRange(sampler.name)) continue;
        const torch::Tensor &rows = data().at("all." + sampler.name);
        std::int64_t row = 0;
        for (const std::string &schedule : kSchedules)
            for (const int n : kSteps) {
                Run run({.sampler = sampler.name, .schedule = schedule, .steps = n});
                compare(sampler.name + " " + schedule + " " + std::to_string(n), run.finish(), rows[row++]);
            }
        CHECK(row == rows.size(0));
        compared.insert(sampler.name);
    }
    CHECK(compared.size() == 19);
}

SG_CASE(samplers_without_a_schedule)
{
    for (const int n : kSteps) {
        const std::string steps = std::to_string(n);
        const auto run = [&](const std::string &name, double eta) {
            PlanRequest request{.sampler = name, .schedule = "automatic", .steps = n};
            request.sampling.eta = request.sampling.etaDdim = eta;
            return Run(request).finish();
        };
        const std::int64_t row = n == 5 ? 0 : n == 20 ? 1 : 2;
        for (const char *name : {"DPM fast", "DPM adaptive"})
            for (const auto &[eta, text] : {std::pair(1.0, ".1.0"), {0.0, ".0.0"}})
                compare(name + (text + steps), run(name, eta), data().at(std::string(name) + text)[row]);
        for (const char *name : {"DDIM", "DDIM CFG++"})
            for (const auto &[eta, text] : {std::pair(0.0, ".0.0"), {0.7, ".0.7"}})
                compare(name + (text + steps), run(name, eta), data().at(std::string(name) + "." + steps + text));
        for (const char *name : {"PLMS", "UniPC"})
            compare(name + steps, run(name, 0), data().at(std::string(name) + "." + steps));
    }
}

SG_CASE(options_reach_the_samplers_that_take_them)
{
    for (const char *name : {"Euler", "Heun", "DPM2"}) {
        PlanRequest request{.sampler = name, .schedule = "karras", .steps = 20};
        request.sampling = {.churn = 6, .churnMinimum = 0.5, .churnMaximum = 8, .noiseScale = 1.05};
        compare(name, Run(request).finish(), data().at(std::string("options.") + name));
    }
    for (const char *name : {"DPM2 a", "DPM++ 2S a", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 3M SDE"}) {
        PlanRequest request{.sampler = name, .schedule = "karras", .steps = 20};
        request.sampling = {.eta = 0.5, .noiseScale = 1.05};
        compare(name, Run(request).finish(), data().at(std::string("options.") + name));
    }
}

SG_CASE(tails_of_schedules)
{
    const torch::Tensor latent = data().at("tail.latent").unsqueeze(0);
    for (const auto &[strength, text] : {std::pair(0.3, ".0.3."), {0.75, ".0.75."}})
        for (const bool exact : {false, true})
            for (const char *name : {"Euler", "DPM++ 2M SDE", "DDIM", "UniPC"}) {
                PlanRequest request{.sampler = name, .schedule = "karras", .steps = exact ? 8 : 20};
                request.strength = strength;
                request.exactSteps = exact;
                const std::string key = std::string("tail.") + name + text + (exact ? "1" : "0");
                Run run(request, latent);
                if (exact && run.plan.walksSigmas()) CHECK(run.plan.updates() == 8);
                compare(key, run.finish(), data().at(key));
            }
    PlanRequest none{.sampler = "Euler", .schedule = "karras", .steps = 20};
    none.strength = 0;
    CHECK(SamplingPlan(none, DiscreteSchedule()).keepsStart());
    CHECK(SamplingPlan(none, DiscreteSchedule()).updates() == 0);
}

SG_CASE(a_run_goes_on_identically_from_every_step)
{
    for (const SamplerSpec &sampler : samplers()) {
        PlanRequest request{.sampler = sampler.name, .schedule = "automatic", .steps = 6};
        request.sampling.churn = 2;
        request.sampling.etaDdim = 0.5;
        const torch::Tensor whole = Run(request).finish();
        Run run(request);
        int parked = 0;
        while (!run.finished()) {
            run.step();
            // Both copies run on from here, one after the other: neither may feel the other.
            Run other(request);
            other.noise = run.noise;
            other.state = run.state.clone();
            CHECK(torch::equal(other.finish(), whole));
            ++parked;
        }
        CHECK(parked >= 2);
        CHECK(torch::equal(run.state.x, whole));
    }
}

SG_CASE(brownian_trees_are_bit_equal)
{
    const torch::Tensor bits = data().at("tree.questions");
    std::vector<std::pair<double, double>> questions;
    const auto *numbers = reinterpret_cast<const double *>(bits.const_data_ptr<std::int64_t>());
    for (std::int64_t i = 0; i < bits.size(0); ++i)
        questions.emplace_back(numbers[2 * i], numbers[2 * i + 1]);
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, kSeed, (std::uint64_t{1} << 40) + 5}) {
        const SeededNoise draw = [](std::uint32_t number) {
            return NoiseGenerator(RandomSource::Cpu, number, torch::kCPU).draw({4, 4, 4});
        };
        const torch::Tensor &wanted = data().at("tree." + std::to_string(seed));
        BrownianTree tree(0.0291675, 14.614641, seed, draw);
        for (std::size_t i = 0; i < questions.size(); ++i) {
            // A tree that heard the same questions answers the same, also without having drawn.
            BrownianTree later(0.0291675, 14.614641, seed, draw);
            later.replay(tree.asked());
            const torch::Tensor made = tree.increment(questions[i].first, questions[i].second);
            CHECK(torch::equal(made, wanted[static_cast<std::int64_t>(i)]));
            CHECK(torch::equal(made, later.increment(questions[i].first, questions[i].second)));
        }
    }
}

SG_CASE(nv_draws_the_gpus_numbers)
{
    const torch::Tensor made = philoxNormal(0, 0, {8});
    const std::vector<double> wanted{-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647};
    for (std::size_t i = 0; i < wanted.size(); ++i)
        CHECK_NEAR(made[static_cast<std::int64_t>(i)].item<double>(), wanted[i], 1e-6);
    NoiseSource noise({{5, 0}}, kShape, {.source = RandomSource::Nv});
    CHECK(torch::equal(noise.first()[0], philoxNormal(5, 0, {4, 4, 4})));
    CHECK(torch::equal(noise.next()[0], philoxNormal(5, 1, {4, 4, 4})));
}

SG_CASE(a_gpu_source_needs_a_gpu)
{
    bool refused = false;
    try {
        NoiseSource({{5, 0}}, kShape, {.source = RandomSource::Gpu});
    } catch (const Failure &failure) {
        refused = failure.error.subject == "randn_source";
    }
    CHECK(refused);
}

SG_CASE(seed_delta_changes_all_but_the_first_draw)
{
    NoiseSource plain({{5, 0}}, 0, kShape), other({{31342, 0}}, 0, kShape);
    NoiseSource moved({{5, 0}}, kShape, {.seedDelta = 31337});
    CHECK(torch::equal(moved.first(), plain.first()));
    CHECK(torch::equal(moved.next(), other.first()));
    CHECK(torch::equal(moved.next(), other.next()));
}

SG_CASE(seed_resize_keeps_the_middle)
{
    NoiseSource small({{5, 9}}, 0.3, kShape);
    const torch::Tensor core = small.first();
    const auto resized = [](std::int64_t height, std::int64_t width) {
        return NoiseSource({{5, 9}}, {4, height, width},
                           {.subseedStrength = 0.3, .resizeFromHeight = 4, .resizeFromWidth = 4})
            .first();
    };
    CHECK(torch::equal(resized(8, 7).narrow(2, 2, 4).narrow(3, 1, 4), core));
    const torch::Tensor rest = NoiseSource({{5, 0}}, 0, {4, 8, 7}).first();
    CHECK(torch::equal(resized(8, 7).select(2, 0), rest.select(2, 0)));
    // Smaller than what it came from: its middle.
    CHECK(torch::equal(resized(2, 2), core.narrow(2, 1, 2).narrow(3, 1, 2)));
    CHECK(torch::equal(resized(4, 4), core));
}
