// Image-to-image, inpainting and hires fix of the starter model against diffusers' networks, k-diffusion's samplers and
// A1111's rules written again in Python (make_image_to_image.py made the data; run it again when the starter changes).
#include "core/diffusion/pipeline/text_to_image.h"

#include "core/base/error.h"
#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/pipeline/start_latent.h"
#include "core/diffusion/sampling/start_step.h"
#include "core/imaging/resample.h"
#include "tests/support/check.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace sg;
using test::Collector, test::starter;

namespace {

constexpr int kTolerance = 2;  // of 255

const test::TensorFile &data()
{
    static const test::TensorFile file(SG_SOURCE_DIR "/tests/parity/image_to_image/pictures.safetensors");
    return file;
}

Image imageOf(const torch::Tensor &bytes)
{
    const torch::Tensor flat = bytes.contiguous();
    Image image(static_cast<int>(flat.size(1)), static_cast<int>(flat.size(0)), flat.dim() == 3 ? 3 : 1);
    std::memcpy(image.pixels.data(), flat.data_ptr<std::uint8_t>(), image.pixels.size());
    return image;
}

GenerationRequest request(const char *sampler, std::int64_t steps, std::int64_t seed, double strength)
{
    GenerationRequest made;
    made.sampler = sampler;
    made.schedule = "automatic";
    made.prompt = "a red star";
    made.negativePrompt = "blue";
    made.seed = seed;
    made.subseed = 0;
    made.cfgScale = 5;
    made.steps = steps;
    made.width = made.height = 64;
    made.denoisingStrength = strength;
    return made;
}

/// The same from the first `count` start pictures, and with the mask.
PreparedStart start(GenerationRequest &wanted, std::int64_t count = 1, bool mask = false)
{
    PreparedStart made;
    for (std::int64_t i = 0; i < count; ++i)
        made.pictures.push_back(imageOf(data().at("start")[i]));
    wanted.batchSize = count;
    wanted.start.pictures = made.pictures;
    wanted.start.maskedContent = MaskedContent::Original;
    if (!mask) return made;
    made.latentMask = imageOf(data().at("latent_mask"));
    made.mask = Image(64, 64, 1);
    return made;
}

Collector draw(const GenerationRequest &wanted, const PreparedStart &prepared, const TaskTools &tools = {})
{
    const c10::InferenceMode mode;
    Conditioner conditioner;
    Collector sink;
    drawPictures({{starter(), conditioner}}, wanted, prepared, tools, sink, {});
    return sink;
}

void compare(const Collector &sink, const char *name)
{
    const torch::Tensor &pictures = data().at(name);
    CHECK(static_cast<std::int64_t>(sink.images.size()) == pictures.size(0));
    for (std::size_t n = 0; n < sink.images.size(); ++n) {
        const Image expected = imageOf(pictures[static_cast<std::int64_t>(n)]);
        const Image &made = sink.images[n];
        CHECK(made.height == expected.height && made.width == expected.width);
        int worst = 0;
        for (std::size_t i = 0; i < made.pixels.size(); ++i)
            worst = std::max(worst, std::abs(made.pixels[i] - expected.pixels[i]));
        if (worst > kTolerance) std::printf("%s picture %zu: off by %d\n", name, n, worst);
        CHECK(worst <= kTolerance);
    }
}

int worstDifference(const Image &a, const Image &b)
{
    int worst = 0;
    for (std::size_t i = 0; i < a.pixels.size(); ++i)
        worst = std::max(worst, std::abs(a.pixels[i] - b.pixels[i]));
    return worst;
}

}  // namespace

SG_CASE(the_part_of_a_schedule)
{
    using sampling::scheduleTail;
    struct Case {
        std::int64_t asked;
        double strength;
        bool exact;
        std::int64_t total, walked;
    };
    // A1111's setup_img2img_steps, by hand: walked is its t_enc + 1.
    for (const Case &c : {Case{20, 0.75, false, 20, 16}, Case{20, 1, false, 20, 20}, Case{20, 0.01, false, 20, 1},
                          Case{20, 0, false, 20, 0}, Case{20, 0.75, true, 26, 20}, Case{20, 1, true, 20, 20},
                          Case{3, 0.5, true, 6, 3}, Case{20, 0, true, 20, 0}}) {
        const sampling::ScheduleTail tail = scheduleTail(c.asked, c.strength, c.exact);
        CHECK(tail.total == c.total && tail.walked == c.walked);
    }
}

SG_CASE(two_start_pictures_are_a_batch)
{
    GenerationRequest wanted = request("Euler", 5, 11, 0.6);
    const PreparedStart prepared = start(wanted, 2);
    const Collector sink = draw(wanted, prepared);
    compare(sink, "batch");
    CHECK(sink.steps.size() == 6 && sink.steps.back().fraction == 1);  // four of the five steps, two pictures
}

SG_CASE(exact_steps_and_more_noise)
{
    GenerationRequest wanted = request("Euler a", 4, 3, 0.5);
    const PreparedStart prepared = start(wanted);
    wanted.start.exactSteps = true;
    wanted.start.noiseMultiplier = 1.05;
    wanted.extraNoise = 0.1;
    compare(draw(wanted, prepared), "exact");
}

SG_CASE(inpainting_keeps_the_original)
{
    GenerationRequest wanted = request("DPM++ 2M", 6, 5, 0.75);
    compare(draw(wanted, start(wanted, 1, true)), "inpaint");
}

SG_CASE(inpainting_from_noise_and_from_nothing)
{
    GenerationRequest noise = request("Euler", 5, 6, 1);
    const PreparedStart prepared = start(noise, 1, true);
    noise.start.maskedContent = MaskedContent::LatentNoise;
    compare(draw(noise, prepared), "inpaint_noise");
    GenerationRequest nothing = request("Euler", 5, 6, 0.8);
    (void)start(nothing, 1, true);
    nothing.start.maskedContent = MaskedContent::LatentNothing;
    nothing.start.maskRound = false;
    compare(draw(nothing, prepared), "inpaint_nothing");
}

SG_CASE(samplers_that_walk_timesteps)
{
    GenerationRequest wanted = request("DDIM", 8, 9, 0.75);
    compare(draw(wanted, start(wanted)), "ddim");
    compare(draw(wanted, start(wanted, 1, true)), "ddim_inpaint");
}

namespace {

/// The picture, and how far its latents went.
void compareSoft(GenerationRequest wanted, const SoftInpainting &soft, const char *name)
{
    const PreparedStart prepared = start(wanted, 1, true);
    wanted.start.soft = soft;
    wanted.start.soft.enabled = true;
    LatentPlane moved;
    TaskTools tools;
    tools.latentsMoved = [&](std::int64_t index, LatentPlane distance) {
        CHECK(index == 0);
        moved = std::move(distance);
    };
    compare(draw(wanted, prepared, tools), name);
    const torch::Tensor expected = data().at(std::string(name) + "_moved").flatten();
    CHECK(moved.width == 8 && moved.height == 8 && expected.numel() == 64);
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < moved.values.size(); ++i) {
        const double there = expected[static_cast<std::int64_t>(i)].item<double>();
        worst = std::max(worst, std::abs(there - moved.values[i]));
        largest = std::max(largest, there);
    }
    CHECK(largest > 0.1 && worst < 2e-3);
}

}  // namespace

SG_CASE(soft_inpainting)
{
    compareSoft(request("Euler", 6, 8, 0.8), {}, "soft");
    compareSoft(request("DPM++ 2M", 6, 8, 0.8),
                {.scheduleBias = 0.5, .preservationStrength = 1.5, .contrastBoost = 1.5}, "soft_biased");
    compareSoft(request("DDIM", 8, 9, 0.75), {.scheduleBias = 0.1, .preservationStrength = 0.2}, "soft_ddim");
}

SG_CASE(noise_that_is_found_in_the_picture)
{
    GenerationRequest wanted = request("Euler", 5, 4, 1);
    const PreparedStart prepared = start(wanted);
    wanted.alternativeNoise = {.enabled = true, .prompt = "a red star", .negativePrompt = "blue", .steps = 7};
    const Collector sink = draw(wanted, prepared);
    compare(sink, "alternative");
    CHECK(sink.steps.size() == 13 && sink.steps.back().step == 12 && sink.steps.back().fraction == 1);
    wanted.denoisingStrength = 0.7;
    wanted.alternativeNoise.cfgScale = 2;
    wanted.alternativeNoise.steps = 6;
    wanted.alternativeNoise.randomness = 0.3;
    wanted.alternativeNoise.sigmaAdjustment = true;
    compare(draw(wanted, prepared), "alternative_adjusted");
}

SG_CASE(found_noise_gives_the_picture_back)
{
    GenerationRequest wanted = request("Euler", 40, 4, 1);
    const PreparedStart prepared = start(wanted);
    wanted.cfgScale = 1;
    wanted.alternativeNoise = {.enabled = true,
                               .prompt = wanted.prompt,
                               .negativePrompt = wanted.negativePrompt,
                               .steps = 40,
                               .sigmaAdjustment = true};
    const Image found = draw(wanted, prepared).images[0];
    wanted.alternativeNoise.enabled = false;
    const Image drawn = draw(wanted, prepared).images[0];
    wanted.denoisingStrength = 0;
    const Image through = draw(wanted, prepared).images[0];
    const auto apart = [&](const Image &other) {
        double sum = 0;
        for (std::size_t i = 0; i < other.pixels.size(); ++i)
            sum += std::abs(other.pixels[i] - through.pixels[i]);
        return sum / static_cast<double>(other.pixels.size());
    };
    std::printf("found noise: %.1f from the picture, drawn noise: %.1f\n", apart(found), apart(drawn));
    CHECK(apart(found) < 12 && apart(found) < apart(drawn) / 3);
}

SG_CASE(every_batch_begins_with_the_pictures)
{
    GenerationRequest wanted = request("Euler", 3, 11, 0.6);
    const PreparedStart prepared = start(wanted);
    wanted.iterations = 2;
    const Collector both = draw(wanted, prepared);
    wanted.iterations = 1;
    wanted.seed = 12;
    CHECK(both.images.size() == 2 && both.images[1] == draw(wanted, prepared).images[0]);
}

SG_CASE(strength_zero_gives_the_picture_through_the_autoencoder)
{
    for (const char *sampler : {"Euler", "DPM++ 2M", "DDIM"})
        for (const bool exact : {false, true}) {
            GenerationRequest wanted = request(sampler, 5, 1, 0);
            const PreparedStart prepared = start(wanted);
            wanted.start.exactSteps = exact;
            const Collector sink = draw(wanted, prepared);
            const c10::InferenceMode mode;
            const torch::Tensor latent = encodePictures(starter(), prepared.pictures);
            CHECK(sink.images.size() == 1 && sink.images[0] == toImage(starter().vae->decode(latent)[0]));
            // The starter's autoencoder is small, so only near the picture itself.
            double sum = 0;
            for (std::size_t i = 0; i < sink.images[0].pixels.size(); ++i)
                sum += std::abs(sink.images[0].pixels[i] - prepared.pictures[0].pixels[i]);
            CHECK(sum / static_cast<double>(sink.images[0].pixels.size()) < 30);
        }
}

SG_CASE(the_unmasked_latents_stay)
{
    GenerationRequest wanted = request("Euler a", 4, 2, 0.9);
    PreparedStart prepared = start(wanted, 1, true);
    std::fill(prepared.latentMask.pixels.begin(), prepared.latentMask.pixels.end(), std::uint8_t{0});
    const Collector sink = draw(wanted, prepared);
    const c10::InferenceMode mode;
    const torch::Tensor latent = encodePictures(starter(), prepared.pictures);
    CHECK(worstDifference(sink.images[0], toImage(starter().vae->decode(latent)[0])) <= 1);
}

SG_CASE(latent_upscale_stretches_latents)
{
    GenerationRequest wanted = request("Euler", 3, 2, 0.4);
    PreparedStart prepared = start(wanted);
    prepared.stretchLatents = true;
    wanted.width = 96;
    wanted.height = 80;
    const Collector sink = draw(wanted, prepared);
    CHECK(sink.images[0].width == 96 && sink.images[0].height == 80);
}

SG_CASE(hires_fix_in_the_latents)
{
    GenerationRequest wanted = request("Euler", 4, 21, 0.7);
    wanted.hires = {
        true, HiresSize::of(64, 64, 1.5, 0, 0), "Latent (antialiased)", "Euler", "automatic", "a red star", "blue", 3};
    const Collector sink = draw(wanted, {});
    compare(sink, "hires");
    CHECK(sink.steps.size() == 8 && sink.steps.back().step == 7 && sink.steps.back().fraction == 1);
    GenerationRequest cut = request("DPM++ 2M", 4, 22, 0.5);
    cut.hires = {
        true, HiresSize::of(64, 64, 2, 128, 96), "Latent (nearest)", "DPM++ 2M", "automatic", "a red star", "blue", 2};
    compare(draw(cut, {}), "hires_cut");
}

SG_CASE(hires_fix_through_the_picture)
{
    GenerationRequest wanted = request("Euler", 3, 21, 0.0);
    wanted.hires = {true, HiresSize::of(64, 64, 1.25, 0, 0), "Lanczos", "Euler", "automatic", "a red star", "blue", 3};
    Image small, large(80, 80, 3);
    const TaskTools tools{[&](const Image &picture, int width, int height, const auto &) {
        CHECK(width == 80 && height == 80);
        small = picture;
        for (std::size_t i = 0; i < large.pixels.size(); ++i)
            large.pixels[i] = static_cast<std::uint8_t>(i / 80);
        return large;
    }};
    const Collector sink = draw(wanted, {}, tools);
    wanted.hires.enabled = false;
    CHECK(small == draw(wanted, {}).images[0]);
    const c10::InferenceMode mode;
    CHECK(sink.images[0] == toImage(starter().vae->decode(encodePictures(starter(), {large}))[0]));
}

SG_CASE(hires_fix_through_the_picture_is_that_of_other_networks)
{
    GenerationRequest wanted = request("Euler", 4, 21, 0.7);
    wanted.hires = {true, HiresSize::of(64, 64, 1.25, 0, 0), "Lanczos", "Euler", "automatic", "a red star", "blue", 3};
    const TaskTools tools{[](const Image &picture, int width, int height, const auto &) {
        return imaging::resample(picture, width, height, imaging::Filter::Lanczos);
    }};
    compare(draw(wanted, {}, tools), "hires_picture");
}

SG_CASE(unknown_upscalers_are_named)
{
    GenerationRequest wanted = request("Euler", 2, 1, 0.5);
    wanted.hires = {true, HiresSize::of(64, 64, 2, 0, 0), "Latent (magic)", "Euler", "automatic", "x", "", 2};
    const c10::InferenceMode mode;
    Conditioner conditioner;
    Collector sink;
    try {
        drawPictures({{starter(), conditioner}}, wanted, {}, {}, sink, {});
        CHECK(false);
    } catch (const Failure &failure) {
        CHECK(failure.error.code == ErrorCode::InvalidArgument && failure.error.subject == "hr_upscaler");
    }
}

SG_TEST_MAIN
