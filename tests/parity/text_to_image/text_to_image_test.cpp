// Whole pictures of the starter model against diffusers' networks and k-diffusion's samplers (make_text_to_image.py
// made the data; run it again when the starter model changes).
#include "core/diffusion/pipeline/text_to_image.h"

#include "core/base/error.h"
#include "tests/support/check.h"
#include "tests/support/tensor_file.h"

#include <c10/core/InferenceMode.h>

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

using namespace sg;

namespace {

const char *const kStarter = SG_SOURCE_DIR "/resources/starter/starter.safetensors";
constexpr int kTolerance = 2;  // of 255

class Collector final : public GenerationSink {
public:
    void progress(const StepProgress &progress) override
    {
        steps.push_back(progress);
        if (cancelAt > 0 && static_cast<int>(steps.size()) == cancelAt) stop.request_stop();
    }
    bool previewDue() override { return wantsPreviews; }
    void preview(std::int64_t, std::int64_t, Image picture) override { previews.push_back(std::move(picture)); }
    void image(std::int64_t index, Image picture) override
    {
        CHECK(index == static_cast<std::int64_t>(images.size()));
        images.push_back(std::move(picture));
        if (afterImage) afterImage();
    }

    std::function<void()> afterImage;
    std::vector<StepProgress> steps;
    std::vector<Image> images, previews;
    bool wantsPreviews = false;
    int cancelAt = 0;
    std::stop_source stop;
};

Checkpoint &starter()
{
    static const std::shared_ptr<Checkpoint> checkpoint = loadCheckpoint(kStarter, torch::kCPU, torch::kFloat);
    return *checkpoint;
}

/// The error's code, or nothing when all went well.
std::optional<Error> draw(const GenerationRequest &request, Collector &sink, Checkpoint &checkpoint = starter())
{
    const c10::InferenceMode mode;
    Conditioner conditioner;
    try {
        textToImage(checkpoint, conditioner, request, sink, sink.stop.get_token());
    } catch (const Failure &failure) {
        return failure.error;
    }
    return std::nullopt;
}

GenerationRequest request(const char *sampler, const char *prompt, const char *negative, std::int64_t seed, double cfg)
{
    GenerationRequest made;
    made.sampler = sampler;
    made.schedule = "automatic";
    made.prompt = prompt;
    made.negativePrompt = negative;
    made.seed = seed;
    made.subseed = 0;
    made.cfgScale = cfg;
    made.steps = 5;
    made.width = made.height = 64;
    return made;
}

GenerationRequest karras()
{
    return request("DPM++ 2M", "a (red:1.3) star on a [white] background", "blue", 42, 5);
}

void compare(const GenerationRequest &wanted, const char *name)
{
    static const test::TensorFile data(SG_SOURCE_DIR "/tests/parity/text_to_image/pictures.safetensors");
    Collector sink;
    const std::optional<Error> error = draw(wanted, sink);
    CHECK(!error);
    const torch::Tensor &pictures = data.at(name);
    CHECK(static_cast<std::int64_t>(sink.images.size()) == pictures.size(0));
    for (std::size_t n = 0; n < sink.images.size(); ++n) {
        const torch::Tensor expected = pictures[static_cast<std::int64_t>(n)].contiguous();
        const Image &made = sink.images[n];
        CHECK(made.height == expected.size(0) && made.width == expected.size(1) && made.channels == 3);
        const std::uint8_t *bytes = expected.data_ptr<std::uint8_t>();
        int worst = 0;
        for (std::size_t i = 0; i < made.pixels.size(); ++i)
            worst = std::max(worst, std::abs(made.pixels[i] - bytes[i]));
        if (worst > kTolerance) std::printf("%s picture %zu: off by %d\n", name, n, worst);
        CHECK(worst <= kTolerance);
    }
}

}  // namespace

SG_CASE(dpmpp_2m_karras_with_emphasis_in_a_batch)
{
    GenerationRequest wanted = karras();
    wanted.batchSize = 2;
    compare(wanted, "karras");
}

SG_CASE(the_same_pictures_one_after_the_other)
{
    GenerationRequest wanted = karras();
    wanted.iterations = 2;
    compare(wanted, "karras");
}

SG_CASE(euler_a_with_a_variation)
{
    GenerationRequest wanted = request("Euler a", "a green ring", "", 7, 7.5);
    wanted.height = 48;
    wanted.subseed = 99;
    wanted.subseedStrength = 0.3;
    compare(wanted, "ancestral");
}

SG_CASE(ddim_on_another_shape)
{
    GenerationRequest wanted = request("DDIM", "a [blue] square", "(red)", 1, 4);
    wanted.width = 48;
    compare(wanted, "ddim");
}

SG_CASE(scale_one_does_not_read_the_negative_prompt)
{
    Collector with, without;
    GenerationRequest wanted = karras();
    wanted.cfgScale = 1;
    CHECK(!draw(wanted, with));
    wanted.negativePrompt = "something else";
    CHECK(!draw(wanted, without));
    CHECK(with.images == without.images);
}

SG_CASE(long_prompts_meet_short_ones)
{
    Collector sink;
    GenerationRequest wanted = karras();
    for (int i = 0; i < 90; ++i)
        wanted.prompt += " star";
    wanted.steps = 2;
    CHECK(!draw(wanted, sink));
    CHECK(sink.images.size() == 1);
}

SG_CASE(progress_counts_up_and_previews_show_the_picture)
{
    Collector sink;
    sink.wantsPreviews = true;
    GenerationRequest wanted = karras();
    wanted.iterations = 2;
    CHECK(!draw(wanted, sink));
    CHECK(sink.previews.size() == 10);
    for (const Image &preview : sink.previews)
        CHECK(preview.width == 32 && preview.height == 32);
    CHECK(sink.steps.size() == 12);  // five steps and a decoded picture, twice
    double before = 0;
    for (const StepProgress &step : sink.steps) {
        CHECK(step.fraction > before && step.fraction <= 1);
        CHECK(step.steps == 5 && step.images == 2);
        before = step.fraction;
    }
    CHECK(before == 1);
    CHECK(sink.steps.front().step == 1 && sink.steps.front().sigma > 14);
    // The last preview is the last x0: near the picture's own mean.
    const auto mean = [](const Image &image) {
        double sum = 0;
        for (const std::uint8_t value : image.pixels)
            sum += value;
        return sum / static_cast<double>(image.pixels.size());
    };
    CHECK_NEAR(mean(sink.previews.back()), mean(sink.images.back()), 40);
}

SG_CASE(cancel_takes_effect_at_the_next_step)
{
    Collector sink;
    sink.cancelAt = 2;
    const std::optional<Error> error = draw(karras(), sink);
    CHECK(error && error->code == ErrorCode::Cancelled);
    CHECK(sink.steps.size() == 2 && sink.images.empty());
    Collector between;
    between.cancelAt = 6;  // after the first decoded picture
    GenerationRequest two = karras();
    two.batchSize = 2;
    const std::optional<Error> late = draw(two, between);
    CHECK(late && late->code == ErrorCode::Cancelled && between.images.size() == 1);
}

// Weights are read when they are first used: a file that changes in between must not become a wrong picture.
SG_CASE(a_changed_file_gives_no_picture)
{
    std::string folder = (std::filesystem::temp_directory_path() / "sg-changed-XXXXXX").string();
    CHECK(::mkdtemp(folder.data()) != nullptr);
    const std::filesystem::path path = std::filesystem::path(folder) / "starter.safetensors";
    std::filesystem::copy_file(kStarter, path);
    const auto checkpoint = loadCheckpoint(path, torch::kCPU, torch::kFloat);
    GenerationRequest two = karras();
    two.batchSize = 2;
    Collector sink;
    sink.afterImage = [&] {
        std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(2));
    };
    const std::optional<Error> error = draw(two, sink, *checkpoint);
    CHECK(error && error->code == ErrorCode::ModelChanged && sink.images.size() == 1);
    std::filesystem::remove_all(folder);
}

SG_TEST_MAIN
