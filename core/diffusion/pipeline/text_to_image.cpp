#include "core/diffusion/pipeline/text_to_image.h"

#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/pipeline/sampling_pass.h"
#include "core/diffusion/pipeline/start_latent.h"
#include "core/diffusion/sampling/noise_source.h"

#include <ATen/ops/cat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sg {
namespace {

void requireFinite(const torch::Tensor &tensor, const char *what)
{
    if (tensor.isfinite().all().item<bool>()) return;
    throw Failure{{ErrorCode::NonFinite,
                   std::string("the network produced values that are not numbers (") + what +
                       "); the checkpoint is damaged, or its numbers do not fit the precision in use",
                   {}}};
}

void requireNotStopped(const std::stop_token &stop)
{
    if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
}

SamplingPass::Settings firstSettings(const GenerationRequest &request)
{
    SamplingPass::Settings settings{request.sampler, request.schedule, request.steps};
    if (!request.start.used()) return settings;
    settings.extraNoise = request.extraNoise;
    settings.strength = request.denoisingStrength;
    settings.exactSteps = request.start.exactSteps;
    return settings;
}

SamplingPass::Settings hiresSettings(const GenerationRequest &request)
{
    const HiresPass &hires = request.hires;
    return {hires.sampler, hires.schedule, hires.steps, request.extraNoise, request.denoisingStrength, true};
}

/// One task: what stays the same for all its batches.
class Task {
public:
    Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, const PictureTools &tools,
         GenerationSink &sink, std::stop_token stop);
    void begin(const PreparedStart &start);
    void run();

private:
    sampling::NoiseSource noiseOfBatch(std::int64_t firstImage, std::int64_t width, std::int64_t height) const;
    torch::Tensor sample(const SamplingPass &pass, sampling::NoiseSource &noise, const SamplingPass::Start &start);
    torch::Tensor drawBatch();
    torch::Tensor drawLarger(const torch::Tensor &latents);
    torch::Tensor enlarged(const torch::Tensor &latents);
    torch::Tensor decodeOne(const torch::Tensor &latent);
    void stepMade(const sampling::SamplerStep &step);
    void decode(const torch::Tensor &latents);
    void report(StepProgress progress);

    Checkpoint &m_checkpoint;
    const GenerationRequest &m_request;
    const PictureTools &m_tools;
    GenerationSink &m_sink;
    sampling::DiscreteSchedule m_levels;
    StartLatent m_start;
    std::optional<SamplingPass> m_first, m_hires;
    sampling::SamplerContext m_context;
    std::int64_t m_steps = 0;        // of both passes of a batch
    std::int64_t m_stepsBefore = 0;  // those of the pass that is over
    std::int64_t m_firstImage = 0;   // of the running batch
    std::int64_t m_unitsDone = 0;    // a step of a batch or a decoded picture each
};

Task::Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
           const PictureTools &tools, GenerationSink &sink, std::stop_token stop)
    : m_checkpoint(checkpoint), m_request(request), m_tools(tools), m_sink(sink)
{
    const std::int64_t factor = checkpoint.config.latentFactor;
    for (const auto &[name, side] : {std::pair("width", request.width), std::pair("height", request.height)})
        if (side < factor || side % factor != 0)
            throw Failure{
                {ErrorCode::InvalidArgument,
                 std::string(name) + " must be a multiple of " + std::to_string(factor) + " with this checkpoint",
                 name}};
    if (sampling::isUsableSchedule(checkpoint.config.alphasCumprod))
        m_levels = sampling::DiscreteSchedule(checkpoint.config.alphasCumprod);
    const auto guidance = [&](const std::string &prompt, const std::string &negative) {
        return sampling::Guidance{conditioner.embed(checkpoint, prompt), conditioner.embed(checkpoint, negative),
                                  request.cfgScale};
    };
    m_first.emplace(checkpoint, m_levels, guidance(request.prompt, request.negativePrompt), firstSettings(request));
    m_steps = m_first->updates();
    if (request.hires.enabled) {
        m_hires.emplace(checkpoint, m_levels, guidance(request.hires.prompt, request.hires.negativePrompt),
                        hiresSettings(request));
        m_steps += m_hires->updates();
    }
    m_context.stop = std::move(stop);
    m_context.eta = request.eta;
    m_context.observer = [this](const sampling::SamplerStep &step) { stepMade(step); };
}

/// Everything that happens once to the start pictures, and what inpainting networks read in all batches.
void Task::begin(const PreparedStart &start)
{
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    if (m_request.start.used()) m_start = makeStart(m_checkpoint, start, m_request);
    if (!m_start.concat.defined())
        m_start.concat = emptyInpaintConcat(m_checkpoint, m_request.width / factor, m_request.height / factor);
    m_first->setConcat(m_start.concat);
    if (!m_hires) return;
    const HiresSize &size = m_request.hires.size;
    m_hires->setConcat(emptyInpaintConcat(m_checkpoint, size.width / factor, size.height / factor));
}

sampling::NoiseSource Task::noiseOfBatch(std::int64_t firstImage, std::int64_t width, std::int64_t height) const
{
    std::vector<sampling::ImageSeed> seeds;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(firstImage + i)),
                         static_cast<std::uint64_t>(m_request.imageSubseed(firstImage + i))});
    return {seeds, m_request.subseedStrength, {m_checkpoint.config.latentChannels, height, width}};
}

void Task::run()
{
    for (std::int64_t iteration = 0; iteration < m_request.iterations; ++iteration) {
        m_firstImage = iteration * m_request.batchSize;
        m_checkpoint.requireUnchanged();
        m_stepsBefore = 0;
        torch::Tensor latents = drawBatch();
        if (m_hires) latents = drawLarger(latents);
        m_checkpoint.requireUnchanged();
        decode(latents);
    }
}

torch::Tensor Task::sample(const SamplingPass &pass, sampling::NoiseSource &noise, const SamplingPass::Start &start)
{
    const torch::Device device = m_checkpoint.device;
    m_context.noise = [&noise, device] { return noise.next().to(device); };
    torch::Tensor first = noise.first().to(device);
    if (&pass == &*m_first && m_request.start.used()) first = first * m_request.start.noiseMultiplier;
    torch::Tensor latents = pass.run(first, start, m_context);
    requireFinite(latents, "in the latents");
    m_stepsBefore += pass.updates();
    return latents;
}

torch::Tensor Task::drawBatch()
{
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    const std::int64_t width = m_request.width / factor, height = m_request.height / factor;
    sampling::NoiseSource noise = noiseOfBatch(m_firstImage, width, height);
    if (!m_start.latent.defined()) return sample(*m_first, noise, {});
    SamplingPass::Start start{m_start.latent, m_start.redraw};
    if (m_request.start.maskedContent == MaskedContent::LatentNoise) {
        // As A1111: every batch gets the first one's noise here, without the variation.
        std::vector<sampling::ImageSeed> seeds;
        for (std::int64_t i = 0; i < m_request.batchSize; ++i)
            seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(i)), 0});
        sampling::NoiseSource fill(seeds, 0, {m_checkpoint.config.latentChannels, height, width});
        start.latent = withMaskedContent(m_start, m_request.start.maskedContent, fill.first().to(m_checkpoint.device));
    } else {
        start.latent = withMaskedContent(m_start, m_request.start.maskedContent, {});
    }
    return sample(*m_first, noise, start);
}

/// Hires fix: the latents made larger, the seeds' noise of that size on them, and drawn again.
torch::Tensor Task::drawLarger(const torch::Tensor &latents)
{
    requireNotStopped(m_context.stop);
    const torch::Tensor start = enlarged(latents);
    sampling::NoiseSource noise = noiseOfBatch(m_firstImage, start.size(3), start.size(2));
    return sample(*m_hires, noise, {start, {}});
}

torch::Tensor Task::enlarged(const torch::Tensor &latents)
{
    const HiresPass &hires = m_request.hires;
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    torch::Tensor large;
    if (isLatentUpscaler(hires.upscaler)) {
        large = resizeLatent(latents, hires.upscaler, hires.size.upWidth / factor, hires.size.upHeight / factor);
    } else {
        std::vector<torch::Tensor> all;
        for (std::int64_t i = 0; i < latents.size(0); ++i) {
            requireNotStopped(m_context.stop);
            const Image small = toImage(decodeOne(latents.narrow(0, i, 1)));
            const Image grown =
                m_tools.enlarge(small, static_cast<int>(hires.size.upWidth), static_cast<int>(hires.size.upHeight));
            all.push_back(encodePictures(m_checkpoint, {grown}));
        }
        large = torch::cat(all);
    }
    const auto cut = [&](std::int64_t dimension, std::int64_t size) {
        const std::int64_t surplus = large.size(dimension) - size / factor;
        if (surplus > 0) large = large.narrow(dimension, surplus / 2, size / factor);
    };
    cut(2, hires.size.height);
    cut(3, hires.size.width);
    return large;
}

void Task::stepMade(const sampling::SamplerStep &step)
{
    // Early, so that a damaged checkpoint costs one step and not all of them.
    requireFinite(step.denoised, "in a sampler step");
    ++m_unitsDone;
    const std::int64_t made = m_stepsBefore + step.index + 1;
    report({.step = made, .sigma = step.sigma});
    if (m_sink.previewDue())
        m_sink.preview(made, m_firstImage, previewImage(step.denoised[0], m_checkpoint.config.latentToRgb));
}

void Task::report(StepProgress progress)
{
    progress.steps = m_steps;
    progress.image = m_firstImage;
    progress.images = m_request.imageCount();
    const std::int64_t units = m_request.iterations * (m_steps + m_request.batchSize);
    progress.fraction = static_cast<double>(m_unitsDone) / static_cast<double>(units);
    m_sink.progress(progress);
}

torch::Tensor Task::decodeOne(const torch::Tensor &latent)
{
    const torch::Tensor picture = m_checkpoint.vae->decode(latent.to(m_checkpoint.vaeDtype));
    requireFinite(picture, "in the decoded picture");
    return picture[0];
}

void Task::decode(const torch::Tensor &latents)
{
    for (std::int64_t i = 0; i < latents.size(0); ++i) {
        requireNotStopped(m_context.stop);
        m_sink.image(m_firstImage + i, toImage(decodeOne(latents.narrow(0, i, 1))));
        ++m_unitsDone;
        report({.step = m_steps, .sampled = false});
    }
}

}  // namespace

void drawPictures(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                  const PreparedStart &start, const PictureTools &tools, GenerationSink &sink, std::stop_token stop)
{
    Task task(checkpoint, conditioner, request, tools, sink, std::move(stop));
    task.begin(start);
    task.run();
}

void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop)
{
    drawPictures(checkpoint, conditioner, request, {}, {}, sink, std::move(stop));
}

}  // namespace sg
