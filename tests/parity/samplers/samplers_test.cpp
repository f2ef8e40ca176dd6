// Samplers, schedules, noise and guidance against k-diffusion, diffusers and torch (make_samplers.py made the data).
#include "core/diffusion/sampling/discrete_schedule.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/sampling_plan.h"
#include "core/diffusion/sampling/schedules.h"

#include "core/base/error.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <torch/types.h>

#include <stop_token>

using namespace sg;
using namespace sg::sampling;

namespace {

constexpr double kSamplerTolerance = 1e-4;
constexpr double kSigmaTolerance = 1e-6;
const NoiseSource::Shape kShape{4, 6, 5};
const std::vector<ImageSeed> kSeeds{{1, 7}, {4294967295, 8}};
const std::vector<int> kSteps{1, 5, 11, 20};

const test::TensorFile &data()
{
    static const test::TensorFile file(SG_SOURCE_DIR "/tests/parity/samplers/samplers.safetensors");
    return file;
}

torch::Tensor x0Model(const torch::Tensor &x, float sigma)
{
    return x / (sigma * sigma + 1) + 0.4 * torch::tanh(x) / (1 + 0.1 * sigma);
}

torch::Tensor epsModel(const torch::Tensor &x, float t)
{
    return 0.3 * torch::tanh(x) + 0.1 * x + static_cast<double>(t) / 2000.0;
}

torch::Tensor network(const torch::Tensor &x, const torch::Tensor &t, const Conditioning &told)
{
    return torch::tanh(x) * told.context.mean({1, 2}).view({-1, 1, 1, 1}) + t.view({-1, 1, 1, 1}) / 1000 + 0.1 * x;
}

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

torch::Tensor run(const std::string &name, const std::string &schedule, int steps, double eta, double etaDdim = 0)
{
    NoiseSource noise(kSeeds, 0, kShape);
    PlanRequest request{.sampler = name, .schedule = schedule, .steps = steps};
    request.sampling.eta = eta;
    request.sampling.etaDdim = etaDdim;
    const SamplingPlan plan(request, DiscreteSchedule());
    SamplerContext context;
    context.noise.next = [&] { return noise.next(); };
    return runSampler(plan.sampler(), plan.begin(noise.first()), {x0Model, epsModel, {}}, context);
}

}  // namespace

SG_CASE(noise_is_bit_equal)
{
    for (const double strength : {0.0, 0.3}) {
        NoiseSource noise(kSeeds, strength, kShape);
        const std::string prefix = "noise." + number(strength) + ".";
        CHECK(torch::equal(noise.first(), data().at(prefix + "0")));
        CHECK(torch::equal(noise.next(), data().at(prefix + "1")));
        CHECK(torch::equal(noise.next(), data().at(prefix + "2")));
    }
}

SG_CASE(a_batch_is_its_pictures_one_by_one)
{
    NoiseSource both(kSeeds, 0.3, kShape);
    NoiseSource second({kSeeds[1]}, 0.3, kShape);
    CHECK(torch::equal(both.first()[1], second.first()[0]));
    CHECK(torch::equal(both.next()[1], second.next()[0]));
}

SG_CASE(full_subseed_strength_is_the_other_picture)
{
    NoiseSource varied({{1, 7}}, 1.0, kShape);
    NoiseSource other({{7, 0}}, 0, kShape);
    CHECK(test::relativeError(varied.first(), other.first()) < 1e-5);
}

SG_CASE(levels_and_schedules)
{
    const DiscreteSchedule levels;
    const torch::Tensor &sigmas = data().at("levels.sigmas");
    CHECK(levels.size() == 1000);
    CHECK_NEAR(levels.sigmaMin() / sigmas[0].item<double>(), 1, kSigmaTolerance);
    CHECK_NEAR(levels.sigmaMax() / sigmas[999].item<double>(), 1, kSigmaTolerance);
    for (int i = 0; i < 100; ++i) {
        const double t = data().at("levels.t")[i].item<double>();
        CHECK_NEAR(levels.sigmaToT(data().at("levels.probe")[i].item<float>()), t, 1e-3 + 1e-5 * t);
        const double sigma = data().at("levels.sigma")[i].item<double>();
        CHECK_NEAR(levels.tToSigma(data().at("levels.times")[i].item<float>()) / sigma, 1, kSigmaTolerance);
    }
    for (const char *schedule : {"uniform", "karras", "exponential"})
        for (const int n : kSteps) {
            const torch::Tensor &wanted = data().at("sigmas." + std::string(schedule) + "." + std::to_string(n));
            const std::vector<float> made = sigmasFor(schedule, n, levels);
            CHECK(static_cast<std::int64_t>(made.size()) == wanted.numel());
            for (std::size_t i = 0; i < made.size(); ++i) {
                const double sigma = wanted[static_cast<std::int64_t>(i)].item<double>();
                CHECK_NEAR(made[i], sigma, kSigmaTolerance * std::max(sigma, 1.0));
            }
            if (std::string(schedule) == "uniform") CHECK(made == sigmasFor("automatic", n, levels));
        }
}

SG_CASE(a_checkpoints_own_levels_count)
{
    std::vector<float> alphas;
    for (int i = 0; i < 10; ++i)
        alphas.push_back(0.95f - 0.09f * static_cast<float>(i));
    CHECK(isUsableSchedule(alphas));
    const DiscreteSchedule levels(alphas);
    CHECK_NEAR(levels.sigmaMax(), std::sqrt((1 - 0.14) / 0.14), 1e-4);
    CHECK(sigmasFor("uniform", 3, levels).front() == levels.sigmaMax());
    std::swap(alphas[0], alphas[9]);
    CHECK(!isUsableSchedule(alphas));
    CHECK(!isUsableSchedule({0.5f, 0.0f}));
    CHECK(!isUsableSchedule({}));
}

SG_CASE(sigma_samplers)
{
    int compared = 0;
    for (const char *schedule : {"uniform", "karras", "exponential"})
        for (const int n : kSteps) {
            const std::string suffix = std::string(".").append(schedule).append(".") + std::to_string(n);
            const auto compare = [&](const std::string &name, const std::string &key, double eta) {
                const double error =
                    test::relativeError(run(name, schedule, n, eta), data().at(std::string("sample.") + key + suffix));
                if (!(error <= kSamplerTolerance)) std::printf("%s%s: %g\n", key.c_str(), suffix.c_str(), error);
                CHECK(error <= kSamplerTolerance);
                ++compared;
            };
            compare("Euler", "Euler", 1);
            compare("DPM++ 2M", "DPM++ 2M", 1);
            for (const double eta : {0.0, 0.6, 1.0})
                compare("Euler a", "Euler a@" + number(eta), eta);
        }
    CHECK(compared == 60);
}

SG_CASE(ddim)
{
    const DiscreteSchedule levels;
    for (const int steps : {2, 5, 15, 20, 30})
        for (const double eta : {0.0, 0.7}) {
            const std::vector<int> grid = timestepsFor(steps, levels);
            const torch::Tensor &wanted = data().at("grid." + std::to_string(steps));
            CHECK(static_cast<std::int64_t>(grid.size()) == wanted.numel());
            for (std::size_t i = 0; i < grid.size(); ++i)
                CHECK(grid[i] == wanted[static_cast<std::int64_t>(i)].item<int>());
            CHECK(test::relativeError(run("DDIM", "automatic", steps, 1, eta),
                                      data().at("ddim." + std::to_string(steps) + "." + number(eta))) <=
                  kSamplerTolerance);
        }
}

SG_CASE(guidance)
{
    const DiscreteSchedule levels;
    for (const auto &[kind, prediction] : {std::pair("eps", Prediction::Eps), std::pair("v", Prediction::V)})
        for (const auto &[sigma, sigmaText] : {std::pair(14.0f, "14.0"), {1.234f, "1.234"}, {0.05f, "0.05"}})
            for (const auto &[name, other] : {std::pair("same", "guide.unwanted"), {"longer", "guide.longer"}})
                for (const double scale : {1.0, 7.5}) {
                    int calls = 0;
                    const NoiseNetwork counted = [&](const auto &x, const auto &t, const Conditioning &told) {
                        ++calls;
                        CHECK(t.numel() == 1 && x.size(0) == told.context.size(0));
                        return network(x, t, told);
                    };
                    const GuidedModel model(counted, levels, prediction,
                                            {Conditioning{data().at("guide.wanted"), {}, {}},
                                             Conditioning{data().at(other), {}, {}}, scale},
                                            torch::kFloat);
                    const torch::Tensor made = model.x0(data().at("guide.x") * sigma, sigma);
                    const std::string key =
                        "guide." + std::string(kind) + "." + sigmaText + "." + name + "." + number(scale);
                    CHECK(test::relativeError(made, data().at(key)) <= 1e-5);
                    CHECK(calls == (scale != 1 && std::string(name) == "longer" ? 2 : 1));
                }
}

// Lin et al. 2023, arXiv:2305.08891, algorithm 1, in double precision: no picture is left at the last level, and the
// first one stays.
SG_CASE(zero_terminal_snr)
{
    const DiscreteSchedule plain, zero = DiscreteSchedule().withZeroTerminalSnr();
    CHECK(zero.size() == plain.size() && zero.alphaCumprod(0) == plain.alphaCumprod(0));
    CHECK_NEAR(zero.sigmaMax(), 4518.8, 0.5);  // A1111's
    const auto root = [&](std::size_t t) { return std::sqrt(static_cast<double>(plain.alphaCumprod(t))); };
    for (std::size_t t = 0; t + 1 < plain.size(); ++t) {
        const double wanted = (root(t) - root(999)) * root(0) / (root(0) - root(999));
        CHECK_NEAR(std::sqrt(static_cast<double>(zero.alphaCumprod(t))), wanted, 1e-6);
    }
    CHECK_NEAR(zero.sigmaToT(zero.sigmaMax()), 999, 1e-3);
    // What a file may bring along: stretched already, or without a slope.
    CHECK(zero.withZeroTerminalSnr().sigmaMax() == zero.sigmaMax());
    const DiscreteSchedule flat(std::vector<float>{0.5f, 0.5f});
    CHECK(flat.withZeroTerminalSnr().sigmaMax() == flat.sigmaMax());
}

// A1111's levels before 1.7, as k-diffusion's wrapper makes them of rounded alphas (make_half_levels.py).
SG_CASE(levels_in_half_precision)
{
    const test::TensorFile file(SG_SOURCE_DIR "/tests/parity/samplers/half_levels.safetensors");
    const DiscreteSchedule half = DiscreteSchedule().inHalfPrecision();
    const auto compare = [&](const char *name, auto made) {
        const torch::Tensor &wanted = file.at(name);
        for (std::int64_t i = 0; i < wanted.numel(); ++i) {
            const double there = wanted[i].item<double>();
            CHECK_NEAR(made(static_cast<std::size_t>(i)), there, kSigmaTolerance * std::max(1.0, there));
        }
    };
    compare("sigmas", [&](std::size_t i) { return half.sigma(i); });
    const std::vector<float> uniform = sigmasFor("uniform", 20, half);
    CHECK(static_cast<std::int64_t>(uniform.size()) == file.at("uniform.20").numel());
    compare("uniform.20", [&](std::size_t i) { return uniform[i]; });
    const torch::Tensor &asked = file.at("asked");
    compare("times", [&](std::size_t i) { return half.sigmaToT(asked[static_cast<std::int64_t>(i)].item<float>()); });
    CHECK(std::abs(half.sigmaMin() - DiscreteSchedule().sigmaMin()) > 1e-3);  // or it would not matter
}

SG_CASE(timestep_guidance_is_the_same_noise)
{
    const DiscreteSchedule levels;
    const Guidance words{Conditioning{data().at("guide.wanted"), {}, {}},
                         Conditioning{data().at("guide.unwanted"), {}, {}}, 7.5};
    const int t = 500;
    const float alpha = levels.alphaCumprod(t);
    const torch::Tensor &x = data().at("guide.x");
    for (const Prediction prediction : {Prediction::Eps, Prediction::V}) {
        const GuidedModel model(network, levels, prediction, words, torch::kFloat);
        const torch::Tensor eps = model.eps(x, t);
        // The same point in the two parametrisations: x_k = x / sqrt(alpha), x0 = x_k - sigma * eps.
        const float sigma = std::sqrt((1 - alpha) / alpha);
        const torch::Tensor x0 = model.x0(x / std::sqrt(alpha), sigma);
        CHECK(test::relativeError(x / std::sqrt(alpha) - sigma * eps, x0) < 1e-4);
    }
}

SG_CASE(observer_and_cancel)
{
    for (const char *name : {"Euler", "Euler a", "DPM++ 2M"}) {
        const SamplingPlan plan({.sampler = name, .schedule = "karras", .steps = 20}, DiscreteSchedule());
        std::stop_source stop;
        std::vector<int> seen;
        NoiseSource noise(kSeeds, 0, kShape);
        SamplerContext context;
        context.noise.next = [&] { return noise.next(); };
        context.stop = stop.get_token();
        context.observer = [&](const SamplerStep &step) {
            seen.push_back(step.index);
            CHECK(step.count == 20);
            CHECK(step.sigma == plan.sigmas()[static_cast<std::size_t>(step.index)]);
            CHECK(step.denoised.sizes() == torch::IntArrayRef({2, 4, 6, 5}));
            if (step.index == 4) stop.request_stop();
        };
        bool cancelled = false;
        try {
            runSampler(plan.sampler(), plan.begin(noise.first()), {x0Model, epsModel, {}}, context);
        } catch (const Failure &failure) {
            cancelled = failure.error.code == ErrorCode::Cancelled;
        }
        CHECK(cancelled);
        CHECK(seen == std::vector<int>({0, 1, 2, 3, 4}));
    }
}

SG_CASE(an_unknown_schedule_is_refused)
{
    bool refused = false;
    try {
        sigmasFor("gamma", 5, DiscreteSchedule());
    } catch (const Failure &failure) {
        refused = failure.error.code == ErrorCode::InvalidArgument && failure.error.subject == "scheduler";
    }
    CHECK(refused);
}

// every sampler: all_samplers_test.cpp, in the same program
SG_TEST_MAIN
