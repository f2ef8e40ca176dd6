// Whole pictures of the starter model against diffusers' networks and k-diffusion's samplers (make_text_to_image.py
// made the data; run it again when the starter model changes).
#include "core/diffusion/pipeline/text_to_image.h"

#include "core/base/error.h"
#include "core/diffusion/nn/wrap.h"
#include "core/diffusion/pipeline/external_vae.h"
#include "core/diffusion/pipeline/kept_latents.h"
#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/vae/fitting.h"
#include "core/diffusion/vae/taesd.h"
#include "tests/support/check.h"
#include "tests/support/filled_checkpoint.h"
#include "tests/support/starter_model.h"
#include "tests/support/tensor_file.h"

#include <c10/core/InferenceMode.h>

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

using namespace sg;
using test::Collector, test::kStarter, test::starter;

namespace {

constexpr int kTolerance = 2;  // of 255

/// The error's code, or nothing when all went well.
std::optional<Error> draw(const GenerationRequest &request, Collector &sink, Checkpoint &checkpoint = starter(),
                          const TaskTools &tools = {})
{
    const c10::InferenceMode mode;
    Conditioner conditioner;
    try {
        drawPictures({{checkpoint, conditioner}}, request, {}, tools, sink, sink.stop.get_token());
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

namespace {

/// An autoencoder with a memory for so many latent pixels, which tells what it was asked to decode.
class Narrow final : public Autoencoder {
public:
    Narrow(std::shared_ptr<Autoencoder> vae, std::int64_t most) : m_vae(std::move(vae)), m_most(most) {}
    torch::Tensor encode(const torch::Tensor &pictures) override { return m_vae->encode(pictures); }
    torch::Tensor decode(const torch::Tensor &latents) override
    {
        decoded.push_back(latents);
        if (latents.size(2) * latents.size(3) > m_most) throw std::bad_alloc();
        return m_vae->decode(latents);
    }
    std::int64_t factor() const override { return m_vae->factor(); }
    std::int64_t latentChannels() const override { return m_vae->latentChannels(); }
    std::uint64_t decodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_vae->decodeBytes(height, width);
    }
    std::uint64_t encodeBytes(std::int64_t height, std::int64_t width) const override
    {
        return m_vae->encodeBytes(height, width);
    }
    std::vector<torch::Tensor> decoded;

private:
    std::shared_ptr<Autoencoder> m_vae;
    std::int64_t m_most;
};

/// The starter with another autoencoder, until this ends.
class WithVae {
public:
    explicit WithVae(std::shared_ptr<Autoencoder> vae) : m_own(std::exchange(starter().vae, std::move(vae))) {}
    ~WithVae() { starter().vae = m_own; }
    const std::shared_ptr<Autoencoder> &own() const { return m_own; }

private:
    std::shared_ptr<Autoencoder> m_own;
};

GenerationRequest large(std::int64_t steps)
{
    GenerationRequest wanted = karras();
    wanted.sampler = "Euler";
    wanted.steps = steps;
    wanted.width = 256;
    wanted.height = 192;
    return wanted;
}

}  // namespace

// A smooth picture in tiles against the whole: the difference is small, less with larger tiles, and no edge shows where
// tiles meet.
SG_CASE(tiles_are_nearly_the_whole)
{
    const c10::InferenceMode mode;
    const std::int64_t height = 384, width = 512;
    const torch::Tensor y = at::linspace(-1, 1, height).view({height, 1});
    const torch::Tensor x = at::linspace(-1, 1, width).view({1, width}), product = x * y;
    const torch::Tensor picture =
        at::stack({at::sin(2 * x) * at::cos(y), product, at::cos(3 * x + 2 * y)}).mul(0.8).unsqueeze(0);
    const auto most = [](const torch::Tensor &of) { return of.abs().max().item<double>(); };
    const auto mean = [](const torch::Tensor &of) { return of.abs().mean().item<double>(); };
    for (const nn::Wrap wrap : {nn::Wrap{}, nn::Wrap{true, true}}) {
        const nn::WrapScope scope(wrap);
        Autoencoder &vae = *starter().vae;
        const torch::Tensor latent = vae.encode(picture), whole = vae.decode(latent);
        // From one pixel to the next, also over the edges that meet.
        const auto steepest = [&](const torch::Tensor &of) {
            const std::int64_t first = wrap.any() ? 0 : 1;
            const auto steps = [&](int dimension) {
                return most((of - of.roll(1, dimension)).narrow(dimension, first, of.size(dimension) - first));
            };
            return std::max(steps(2), steps(3));
        };
        double before = 0;
        for (const std::int64_t side : {40, 16}) {
            const torch::Tensor change = coding::decodeTiled(vae, latent, side) - whole;
            const torch::Tensor encoded = coding::encodeTiled(vae, picture, side) - latent;
            std::printf("     tiles of %d%s: decoded off by %.3f, mean %.4f, step %.3f (own %.3f); encoded mean %.3f\n",
                        static_cast<int>(8 * side), wrap.any() ? ", seamless" : "", most(change), mean(change),
                        steepest(change), steepest(whole), mean(encoded));
            CHECK(change.sizes() == whole.sizes() && encoded.sizes() == latent.sizes());
            CHECK(mean(change) > before && steepest(change) < steepest(whole));
            CHECK(most(change) < (side == 40 ? 0.3 : 0.6) && mean(change) < (side == 40 ? 0.02 : 0.08));
            CHECK(steepest(change) < (side == 40 ? 0.06 : 0.3) && mean(encoded) < 0.1);
            before = mean(change);
        }
    }
}

SG_CASE(tiles_when_memory_is_short)
{
    const c10::InferenceMode mode;
    const auto narrow = std::make_shared<Narrow>(starter().vae, 1 << 20);
    const torch::Tensor latent = torch::randn({1, 4, 24, 40});
    const auto used = [&](coding::Options options) {
        narrow->decoded.clear();
        const coding::Scope scope(std::move(options));
        CHECK((coding::decode(*narrow, latent).sizes() == at::IntArrayRef{1, 3, 192, 320}));
        return narrow->decoded.size();
    };
    const std::uint64_t need = narrow->decodeBytes(24, 40);
    const auto room = [](std::uint64_t bytes) { return [bytes] { return bytes; }; };
    std::vector<std::int64_t> sides;
    const auto tiled = [&](const std::string &, std::int64_t side) { sides.push_back(side); };
    // Tiles, and before them a small copy of the whole for the norms.
    CHECK(used({.room = room(need), .tiled = tiled}) == 1 && sides.empty());
    CHECK(used({.room = room(need - 1), .tiled = tiled}) > 1 && sides == std::vector<std::int64_t>{32});
    CHECK(used({.tileSide = 20, .room = room(need - 1)}) > 2);
    CHECK(used({.room = room(0), .tiled = tiled}) == 7 && sides.back() == coding::kSmallestTile);
    CHECK(used({.tiling = coding::Tiling::Off, .room = room(0)}) == 1);
    CHECK(used({.tiling = coding::Tiling::On, .tileSide = 40}) == 1);
    CHECK(used({.tiling = coding::Tiling::On, .tileSide = 24}) == 3);
    CHECK(used({}) == 1);
}

SG_CASE(a_picture_that_does_not_fit_is_decoded_in_tiles)
{
    Collector plain, short1;
    CHECK(!draw(large(2), plain));
    {
        const WithVae narrow(std::make_shared<Narrow>(starter().vae, 16 * 16));
        CHECK(!draw(large(2), short1));
    }
    CHECK(short1.images.size() == 1 && short1.warnings.size() == 1 && short1.facts["VAE tiling"] == "On");
    CHECK(short1.facts["VAE tile size"] == "128");
    // What the infotext then says gives the same pixels.
    GenerationRequest asked = large(2);
    asked.coding.tiling = "On";
    asked.coding.tileSize = 128;
    Collector again;
    CHECK(!draw(asked, again));
    CHECK(again.images == short1.images && again.warnings.empty() && again.facts.empty());
    CHECK(again.images != plain.images);
}

SG_CASE(latents_are_kept_when_decoding_fails)
{
    KeptLatents kept;
    TaskTools tools;
    tools.kept = &kept;
    tools.drawing = "this";
    GenerationRequest wanted = large(2);
    wanted.iterations = 2;
    Collector plain, failed, again, other;
    CHECK(!draw(wanted, plain));
    {
        const WithVae narrow(std::make_shared<Narrow>(starter().vae, 8 * 8));
        const std::optional<Error> error = draw(wanted, failed, starter(), tools);
        CHECK(error && error->code == ErrorCode::OutOfMemory && failed.images.empty());
        CHECK(error->message.find("256 x 192 pixels take about 0.") != std::string::npos);
        CHECK(error->message.find("tiles of 128 x 128 pixels") != std::string::npos);
        CHECK(error->message.find("the latents of seed 42 are kept") != std::string::npos);
    }
    // The first batch is only decoded, the second drawn.
    CHECK(!draw(wanted, again, starter(), tools));
    CHECK(again.images == plain.images && again.warnings.size() == 1);
    CHECK(plain.steps.size() == 6 && again.steps.size() == 4);
    CHECK(!draw(wanted, other, starter(), tools));  // what was decoded is not kept
    CHECK(other.steps.size() == 6);
    const torch::Tensor some = torch::ones({1});
    for (int i = 0; i < 6; ++i)
        kept.keep("x", i, some);
    CHECK(!kept.find("x", 1).defined() && kept.find("x", 2).defined() && !kept.find("y", 2).defined());
}

SG_CASE(the_first_pass_is_kept_when_it_cannot_be_made_larger)
{
    KeptLatents kept;
    TaskTools tools;
    tools.kept = &kept;
    tools.drawing = "this";
    tools.enlarge = [](const Image &picture, int width, int height, const auto &) {
        Image grown(width, height, 3);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width * 3; ++x)
                grown.row(y)[x] = picture.row(y * picture.height / height)[x / 3 * picture.width / width * 3 + x % 3];
        return grown;
    };
    GenerationRequest wanted = large(2);
    wanted.hires = {true, HiresSize::of(256, 192, 1.25, 0, 0), "Lanczos", "Euler", "automatic", "", "", 1};
    Collector plain, failed, again, other;
    CHECK(!draw(wanted, plain, starter(), tools));
    {
        const WithVae narrow(std::make_shared<Narrow>(starter().vae, 8 * 8));
        const std::optional<Error> error = draw(wanted, failed, starter(), tools);
        CHECK(error && error->code == ErrorCode::OutOfMemory && failed.images.empty());
        CHECK(error->message.find("without drawing the first pass again") != std::string::npos);
    }
    CHECK(!draw(wanted, again, starter(), tools));
    CHECK(again.images == plain.images && again.warnings.size() == 1);
    // Steps of the second pass and of decoding only, counted as if the first had been made.
    CHECK(again.steps.size() + 2 == plain.steps.size() && again.steps.front().step == plain.steps.at(2).step);
    CHECK(!draw(wanted, other, starter(), tools) && other.steps.size() == plain.steps.size());
}

SG_CASE(a_tiny_autoencoder_in_the_vaes_place)
{
    const std::filesystem::path path = SG_SOURCE_DIR "/tests/parity/networks/taesd.safetensors";
    GenerationRequest wanted = karras();
    wanted.sampler = "Euler";
    wanted.steps = 1;  // whose clean picture is the picture
    wanted.coding.previews = "TAESD";
    Collector before, sink, after;
    CHECK(!draw(wanted, before));
    const c10::InferenceMode mode;
    Taesd tiny = loadTaesd(path, torch::kCPU, torch::kFloat);
    ExternalVae external;
    external.use(starter(), path, {});
    const auto narrow = std::make_shared<Narrow>(starter().vae, 1 << 20);
    {
        const WithVae watched(narrow);
        TaskTools tools;
        tools.tiny = tiny.ptr();
        sink.wantsPreviews = true;
        CHECK(!draw(wanted, sink, starter(), tools));
    }
    CHECK(narrow->decoded.size() == 1 && sink.previews.size() == 1);
    CHECK(sink.images[0] == toImage(tiny->decode(narrow->decoded[0])[0]));
    CHECK(sink.previews[0] == sink.images[0]);
    external.use(starter(), std::nullopt, {});
    CHECK(!draw(wanted, after));
    CHECK(after.images == before.images && after.images != sink.images);
    // Without one, previews are the colours' guess; in full, the picture.
    Collector guess, full;
    guess.wantsPreviews = full.wantsPreviews = true;
    CHECK(!draw(wanted, guess));
    CHECK(guess.previews.size() == 1 && guess.previews[0].width == 32);
    wanted.coding.previews = "Full";
    CHECK(!draw(wanted, full));
    CHECK(full.previews == full.images);
}

SG_CASE(one_half_of_a_tiny_autoencoder)
{
    const auto only = [](const std::string &half) {
        return [=](Json &header, std::string &) {
            Json kept = Json::object();
            for (const auto &[key, value] : header.items())
                kept[(key.starts_with(half) ? "" : "unused.") + key] = value;
            header = kept;
        };
    };
    const std::string path = SG_SOURCE_DIR "/tests/parity/networks/taesd.safetensors";
    const test::FilledCheckpoint encoder(path, {}, only("taesd_encoder.")), decoder(path, {}, only("taesd_decoder."));
    const c10::InferenceMode mode;
    Taesd tiny = loadTaesd(path, torch::kCPU, torch::kFloat);
    const torch::Tensor latent = torch::randn({1, 4, 8, 8}), picture = torch::rand({1, 3, 64, 64});
    const torch::Tensor ownPicture = starter().vae->decode(latent), ownLatent = starter().vae->encode(picture);
    ExternalVae external;
    std::vector<std::uint64_t> told;
    const auto watch = [&](std::uint64_t bytes, std::uint64_t) { told.push_back(bytes); };
    external.use(starter(), decoder.path(), {}, watch);
    CHECK(told.size() > 2 && told.back() == std::filesystem::file_size(decoder.path()));
    told.clear();
    external.use(starter(), decoder.path(), {}, watch);
    CHECK(told.empty());
    CHECK(starter().vae->decode(latent).equal(tiny->decode(latent)) && starter().vae->encode(picture).equal(ownLatent));
    external.use(starter(), encoder.path(), {});
    CHECK(starter().vae->decode(latent).equal(ownPicture) &&
          starter().vae->encode(picture).equal(tiny->encode(picture)));
    external.use(starter(), std::nullopt, {});
    CHECK(starter().vae->encode(picture).equal(ownLatent));
    PreviewVae previews;
    CHECK(!previews.use(starter(), encoder.path()));
    CHECK(previews.use(starter(), decoder.path())->decode(latent).equal(tiny->decode(latent)));
}

SG_CASE(previews_take_a_small_share)
{
    PreviewBudget budget;
    CHECK(budget.allows(0));
    budget.spend(1);
    CHECK(!budget.allows(4) && !budget.allows(9.9) && budget.allows(10));
    budget.spend(1);
    CHECK(!budget.allows(14.9) && budget.allows(15));
}

// Copies of a seamless picture fit together; the task after it is drawn as the one before, to the byte.
SG_CASE(seamless_pictures)
{
    GenerationRequest wanted = karras();
    wanted.width = 128;
    Collector before, across, both, after;
    CHECK(!draw(wanted, before));
    wanted.coding.wrapsAcross = true;
    CHECK(!draw(wanted, across));
    wanted.coding.wrapsDown = true;
    CHECK(!draw(wanted, both));
    CHECK(before.images != across.images && across.images != both.images);
    // A cancelled one leaves nothing behind either.
    Collector cancelled;
    cancelled.cancelAt = 2;
    CHECK(draw(wanted, cancelled).has_value());
    wanted.coding = {};
    CHECK(!draw(wanted, after));
    CHECK(after.images == before.images);
}

SG_TEST_MAIN
