// Every sampler on every schedule and on tails of schedules, every setting, Brownian trees and noise sources
// (make_all_samplers.py and make_sampler_options.py made the data).
#include "core/diffusion/sampling/philox.h"
#include "core/diffusion/sampling/sampling_plan.h"

#include "core/base/error.h"
#include "core/params/samplers.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <ATen/ops/tensor.h>
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

const test::TensorFile &options()
{
    static const test::TensorFile file(SG_SOURCE_DIR "/tests/parity/samplers/sampler_options.safetensors");
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
    const std::set<std::string> churned{"Euler", "Heun", "DPM2"};
    const std::set<std::string> stepped{"DPM2 a",       "DPM++ 2S a",   "DPM++ SDE",
                                        "DPM++ 2M SDE", "DPM++ 3M SDE", "DPM++ 2M SDE Heun",
                                        "Euler a",      "DPM fast",     "DPM adaptive"};
    for (const SamplerSpec &sampler : samplers()) {
        PlanRequest request{.sampler = sampler.name, .schedule = "karras", .steps = 20};
        request.sampling = {.churn = 6, .churnMinimum = 0.5, .churnMaximum = 8, .noiseScale = 1.05};
        if (stepped.contains(sampler.name)) request.sampling.eta = 0.5;
        const torch::Tensor made = Run(request).finish();
        if (churned.contains(sampler.name) || stepped.contains(sampler.name)) {
            compare(sampler.name, made, options().at("options." + sampler.name));
        } else {
            // The others know neither churn nor a scale of the noise.
            request.sampling = {};
            CHECK(torch::equal(made, Run(request).finish()));
        }
    }
}

SG_CASE(settings_of_schedules)
{
    const auto compareLevels = [](const std::vector<float> &made, const std::string &key) {
        const torch::Tensor &wanted = options().at(key);
        CHECK(static_cast<std::int64_t>(made.size()) == wanted.numel());
        for (std::size_t i = 0; i < made.size() && static_cast<std::int64_t>(i) < wanted.numel(); ++i)
            CHECK_NEAR(made[i], wanted[static_cast<std::int64_t>(i)].item<double>(),
                       3e-6 * std::max(static_cast<double>(made[i]), 1.0));
    };
    const ScheduleOptions limits{.sigmaMin = 0.1, .sigmaMax = 10, .rho = 5};
    for (const std::string &schedule : kSchedules)
        compareLevels(sigmasFor(schedule, 20, DiscreteSchedule(), limits), "limits." + schedule);
    compareLevels(sigmasFor("beta", 20, DiscreteSchedule(), {.betaAlpha = 0.5, .betaBeta = 0.8}), "beta.0.5.0.8");

    for (const char *name : {"Euler", "DPM++ SDE", "LMS", "DPM fast"}) {
        const PlanRequest request{.sampler = name, .schedule = "karras", .steps = 20, .schedules = limits};
        compare(name, Run(request).finish(), options().at(std::string("limits.") + name));
    }
    for (const char *name : {"Euler", "DPM++ 2M SDE"})
        for (const char *schedule : {"karras", "kl_optimal"}) {
            const PlanRequest request{.sampler = name, .schedule = schedule, .steps = 20, .discardNextToLast = true};
            const std::string key = std::string("discard.") + name + "." + schedule;
            compare(key, Run(request).finish(), options().at(key));
        }
    for (const char *name : {"Euler", "DPM++ 2M"}) {
        const PlanRequest request{.sampler = name, .schedule = "karras", .steps = 20, .sgmNoise = true};
        compare(name, Run(request).finish(), options().at(std::string("sgm.") + name));
    }
}

SG_CASE(settings_of_unipc)
{
    int compared = 0;
    for (const auto &[variant, variantText] :
         {std::pair(UniPcVariant::Bh1, "bh1"), {UniPcVariant::Bh2, "bh2"}, {UniPcVariant::VaryCoeff, "vary_coeff"}})
        for (const auto &[skip, skipText] : {std::pair(UniPcSkip::TimeUniform, "time_uniform"),
                                             {UniPcSkip::TimeQuadratic, "time_quadratic"},
                                             {UniPcSkip::LogSnr, "logSNR"}})
            for (const int order : {1, 2, 3, 4})
                for (const bool final : {true, false})
                    for (const int steps : {7, 20}) {
                        PlanRequest request{.sampler = "UniPC", .schedule = "automatic", .steps = steps};
                        request.sampling.uniPcOrder = order;
                        request.sampling.uniPcVariant = variant;
                        request.sampling.uniPcSkip = skip;
                        request.sampling.uniPcLowerOrderFinal = final;
                        const std::string key = std::string("unipc.") + variantText + "." + skipText + "." +
                                                std::to_string(order) + (final ? ".1." : ".0.") + std::to_string(steps);
                        compare(key, Run(request).finish(), options().at(key));
                        ++compared;
                    }
    CHECK(compared == 144);
}

SG_CASE(tails_of_schedules)
{
    struct Tail {
        const char *schedule;
        int steps;
        double strength;
        bool exact;
    };
    const std::vector<Tail> sigmaTails{{"karras", 20, 0.3, false},      {"karras", 20, 0.75, false},
                                       {"karras", 8, 0.3, true},        {"karras", 8, 0.75, true},
                                       {"kl_optimal", 20, 0.75, false}, {"ddim", 37, 0.75, false}};
    const std::vector<Tail> longTails{{"karras", 30, 0.75, false}, {"karras", 100, 0.3, false}};
    const std::vector<Tail> gridTails{{"automatic", 20, 0.3, false},
                                      {"automatic", 20, 0.75, false},
                                      {"automatic", 8, 0.3, true},
                                      {"automatic", 8, 0.75, true},
                                      {"automatic", 37, 0.75, false}};
    const torch::Tensor latent = options().at("tail.latent").unsqueeze(0);
    for (const SamplerSpec &sampler : samplers()) {
        std::vector<Tail> tails = sampler.usesSchedule ? sigmaTails : gridTails;
        if (sampler.name == "Restart") tails.insert(tails.end(), longTails.begin(), longTails.end());
        const torch::Tensor &rows = options().at("tail." + sampler.name);
        CHECK(rows.size(0) == static_cast<std::int64_t>(tails.size()));
        for (std::size_t i = 0; i < tails.size(); ++i) {
            const Tail &tail = tails[i];
            PlanRequest request{.sampler = sampler.name, .schedule = tail.schedule, .steps = tail.steps};
            request.strength = tail.strength;
            request.exactSteps = tail.exact;
            if (sampler.name == "DDIM CFG++") request.sampling.etaDdim = 0.7;
            Run run(request, latent);
            if (tail.exact && sampler.usesSchedule && !hasOwnRange(sampler.name)) CHECK(run.plan.updates() == 8);
            compare(sampler.name + " tail " + std::to_string(i), run.finish(), rows[static_cast<std::int64_t>(i)]);
        }
    }
    for (const char *name : {"Euler a", "DPM fast", "DDIM", "UniPC"}) {
        PlanRequest request{.sampler = name, .schedule = "karras", .steps = 20, .strength = 0.75, .extraNoise = 0.3};
        compare(std::string("extra noise ") + name, Run(request, latent).finish(),
                options().at(std::string("extra.") + name));
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
    const torch::Tensor made = at::tensor(philoxNormal(0, 0, 8));
    const std::vector<double> wanted{-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647};
    for (std::size_t i = 0; i < wanted.size(); ++i)
        CHECK_NEAR(made[static_cast<std::int64_t>(i)].item<double>(), wanted[i], 1e-6);
    NoiseSource noise({{5, 0}}, kShape, {.source = RandomSource::Nv});
    CHECK(torch::equal(noise.first()[0], at::tensor(philoxNormal(5, 0, 64)).view({4, 4, 4})));
    CHECK(torch::equal(noise.next()[0], at::tensor(philoxNormal(5, 1, 64)).view({4, 4, 4})));
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

SG_CASE(resized_and_moved_seeds)
{
    struct Case {
        const char *name;
        NoiseSource::Shape shape;
        NoiseSource::Settings settings;
    };
    const std::vector<Case> cases{
        {"larger", {4, 8, 7}, {.resizeFromHeight = 4, .resizeFromWidth = 4}},
        {"smaller", {4, 2, 4}, {.subseedStrength = 0.3, .resizeFromHeight = 5, .resizeFromWidth = 7}},
        {"crossed",
         {4, 4, 9},
         {.subseedStrength = 0.6, .resizeFromHeight = 7, .resizeFromWidth = 4, .seedDelta = 31337}},
        {"moved", {4, 4, 4}, {.seedDelta = 31337}},
        {"moved variation", {4, 4, 4}, {.subseedStrength = 0.3, .seedDelta = 5}}};
    for (const Case &one : cases) {
        NoiseSource noise({{5, 9}}, one.shape, one.settings);
        const std::string key = std::string("seed.") + one.name;
        // A mix of two seeds goes through sines; everything else is to the last bit.
        const double allowed = one.settings.subseedStrength > 0 ? 1e-6 : 0;
        CHECK(test::relativeError(noise.first().squeeze(0), options().at(key + ".0")) <= allowed);
        CHECK(torch::equal(noise.next().squeeze(0), options().at(key + ".1")));
    }
    // The picture's own size is no resizing.
    NoiseSource same({{5, 9}}, kShape, {.resizeFromHeight = 4, .resizeFromWidth = 4}), plain({{5, 9}}, 0, kShape);
    CHECK(torch::equal(same.first(), plain.first()));
}
