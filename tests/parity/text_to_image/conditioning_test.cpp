// Prompts that change, parts joined by AND, chunks, clip skip, emphasis and what may be done to guidance: whole
// pictures of the starter model against transformers, diffusers and k-diffusion (make_conditioning.py made the data).
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/text_to_image.h"

#include "core/base/error.h"
#include "tests/support/check.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstdlib>

using namespace sg;
using test::starter;

namespace {

constexpr int kTolerance = 2;  // of 255

std::vector<Image> draw(const GenerationRequest &request)
{
    const c10::InferenceMode mode;
    static Conditioner conditioner;
    test::Collector sink;
    textToImage(starter(), conditioner, request, sink, {});
    return sink.images;
}

GenerationRequest request(const char *prompt, const char *negative, std::int64_t seed)
{
    GenerationRequest made;
    made.sampler = "Euler";
    made.schedule = "automatic";
    made.prompt = prompt;
    made.negativePrompt = negative;
    made.seed = seed;
    made.subseed = 0;
    made.cfgScale = 5;
    made.steps = 6;
    made.width = made.height = 64;
    return made;
}

int difference(const Image &made, const std::uint8_t *bytes)
{
    int worst = 0;
    for (std::size_t i = 0; i < made.pixels.size(); ++i)
        worst = std::max(worst, std::abs(made.pixels[i] - bytes[i]));
    return worst;
}

void compare(const GenerationRequest &wanted, const char *name)
{
    static const test::TensorFile data(SG_SOURCE_DIR "/tests/parity/text_to_image/scheduled.safetensors");
    const std::vector<Image> images = draw(wanted);
    const torch::Tensor expected = data.at(name).contiguous();
    CHECK(images.size() == 1 && expected.numel() == static_cast<std::int64_t>(images[0].pixels.size()));
    const int worst = difference(images[0], expected.data_ptr<std::uint8_t>());
    if (worst > kTolerance) std::printf("%s: off by %d\n", name, worst);
    CHECK(worst <= kTolerance);
}

const char *const kScheduled = "a [red:blue:2] (star:1.4) AND [green|white] ring :0.6";
const char *const kScheduledNegative = "[dark:(blurry:1.2):0.5]";

}  // namespace

SG_CASE(prompts_that_change_and_parts)
{
    compare(request(kScheduled, kScheduledNegative, 3), "scheduled");
}

SG_CASE(texts_of_a_schedule_have_the_chunks_of_the_longest)
{
    compare(request("[a red star:a red star BREAK on white:3] (big:1.3)", "blue BREAK green", 4), "longer");
}

SG_CASE(clip_skip)
{
    GenerationRequest wanted = request("a red star BREAK (big:1.3) ring", "", 5);
    wanted.clipSkip = 2;
    compare(wanted, "skip");
}

SG_CASE(emphasis_without_norm)
{
    GenerationRequest wanted = request("(((green))) [square]", "(red:0.5)", 6);
    wanted.emphasis = "No norm";
    compare(wanted, "no norm");
}

SG_CASE(emphasis_ignored_is_the_prompt_without_it)
{
    GenerationRequest weighed = request("a (red:1.7) [star]", "", 6), plain = request("a red star", "", 6);
    const std::vector<Image> original = draw(weighed);
    weighed.emphasis = "Ignore";
    CHECK(draw(weighed) == draw(plain) && original != draw(plain));
}

SG_CASE(parts_at_scale_one)
{
    GenerationRequest wanted = request("a red star :0.5 AND a green ring:0.5", "never read", 7);
    wanted.cfgScale = 1;
    compare(wanted, "one");
    wanted.negativePrompt = "nor this";
    compare(wanted, "one");
}

SG_CASE(guidance_left_out)
{
    GenerationRequest late = request("a red star", "blue", 8), early = late;
    late.sMinUncond = 5;
    compare(late, "ngms");
    early.skipEarlyCfg = 0.3;
    compare(early, "early");
}

SG_CASE(rescaled_guidance)
{
    GenerationRequest wanted = request("a red star", "blue", 9);
    wanted.cfgScale = 9;
    wanted.cfgRescale = 0.7;
    compare(wanted, "rescale");
}

SG_CASE(guidance_in_an_interval)
{
    GenerationRequest guided = request("a red star", "blue", 8), alone = guided, nowhere = guided;
    alone.cfgScale = 1;
    nowhere.guidanceEnd = 0;
    CHECK(draw(nowhere) == draw(alone));
    GenerationRequest early = guided, interval = guided;
    // Without guidance for the calls 0 and 1 of 6: as Skip Early CFG, which includes its share.
    early.skipEarlyCfg = 0.2;
    interval.guidanceStart = 2.0 / 6;
    CHECK(draw(interval) == draw(early) && draw(interval) != draw(guided));
}

SG_CASE(pictures_of_a_batch_with_prompts_of_their_own)
{
    GenerationRequest batch = request("", "", 3);
    batch.batchSize = 2;
    batch.prompts = {{kScheduled, kScheduledNegative}, {"a red star BREAK ring", "blue"}};
    GenerationRequest second = request("a red star BREAK ring", "blue", 4);
    const std::vector<Image> both = draw(batch);
    CHECK(both.size() == 2);
    CHECK(difference(both[0], draw(request(kScheduled, kScheduledNegative, 3))[0].pixels.data()) <= 1);
    CHECK(difference(both[1], draw(second)[0].pixels.data()) <= 1);
}

SG_CASE(shorter_side_filled_up)
{
    GenerationRequest wanted = request("a red star BREAK ring", "blue", 4);
    const std::vector<Image> apart = draw(wanted);
    wanted.padCondUncond = true;
    const std::vector<Image> filled = draw(wanted);
    // An empty prompt behind is what two of them make too.
    wanted.padCondUncond = false;
    wanted.negativePrompt = "blue BREAK BREAK";
    CHECK(filled != apart);
    CHECK(draw(wanted) == filled);
}

SG_CASE(texts_are_encoded_when_they_are_asked_for)
{
    const c10::InferenceMode mode;
    Conditioner conditioner;
    const PromptSchedule plain{{"red", "blue"}, {{2, 0}, {6, 1}}};
    const auto embedding = conditioner.embed(starter(), plain, {});
    const torch::Tensor blue = embedding->of(1).context;
    CHECK(torch::equal(blue, conditioner.embed(starter(), "blue").context));
    CHECK(conditioner.embed(starter(), plain, {}).get() == embedding.get());
    CHECK(conditioner.embed(starter(), plain, {.clipSkip = 2}).get() != embedding.get());
    const torch::Tensor weighed = conditioner.embed(starter(), "(blue:1.5)").context;
    CHECK_NEAR(weighed.mean().item<double>(), blue.mean().item<double>(), 1e-5);
    CHECK(!torch::allclose(weighed, blue, 0, 1e-3));
}

SG_CASE(wrong_prompts_are_refused)
{
    for (const std::string &prompt : {std::string(65, '['), std::string("a:1") + std::string(60, '0')}) {
        bool refused = false;
        try {
            draw(request(prompt.c_str(), "", 1));
        } catch (const Failure &failure) {
            refused = failure.error.code == ErrorCode::InvalidArgument && failure.error.subject == "prompt";
        }
        CHECK(refused);
    }
}
