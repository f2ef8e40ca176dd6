#include "core/diffusion/pipeline/text_to_image.h"

#include "core/base/json.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/nn/wrap.h"
#include "core/diffusion/pipeline/inspector.h"
#include "core/diffusion/pipeline/kept_latents.h"
#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/pipeline/prompt_guidance.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/start_step.h"
#include "core/diffusion/vae/fitting.h"
#include "core/params/coding_rows.h"
#include "core/params/samplers.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <map>
#include <memory>
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

void sayKept(Failure &failure, const GenerationRequest &request, const char *what)
{
    failure.error.message += "; the latents of seed " + std::to_string(request.seed) +
                             " are kept: the same request with that seed and another VAE, VAE tile or VAE tiling " +
                             what;
}

/// A pass's latents must mean the same to the model that goes on with them.
void requireSameLatents(const Checkpoint &base, const Checkpoint &other, bool passedOn, const char *field)
{
    const CheckpointConfig &one = base.config, &two = other.config;
    if (one.latentChannels == two.latentChannels && one.latentFactor == two.latentFactor &&
        (!passedOn || one.latentScale == two.latentScale))
        return;
    throw Failure{{ErrorCode::InvalidArgument,
                   std::string(field) + ": the checkpoint's latents are not those of the first one" +
                       (passedOn && one.latentChannels == two.latentChannels
                            ? ", so it cannot go on with them (" + two.variant + " after " + one.variant + ")"
                            : ""),
                   field}};
}

/// The words of the model and, where there is one, of the refiner.
struct PassGuidance {
    sampling::Guidance base, refined;
};

/// One task: what stays the same for all its batches.
class Task {
public:
    Task(const TaskModels &models, const GenerationRequest &request, const TaskTools &tools, GenerationSink &sink,
         std::stop_token stop);
    void begin(const PreparedStart &start, const ParkedTask *from);
    /// What is left to be done, when the sink wanted a pause; else null.
    std::unique_ptr<ParkedTask> run(const ParkedTask *from);

private:
    bool refines(bool larger) const;
    void requireUnchanged() const;
    sampling::NoiseSource noiseOfBatch(std::int64_t width, std::int64_t height) const;
    sampling::NoiseSource noiseOfFill(std::int64_t width, std::int64_t height) const;
    PassGuidance guide(const std::vector<PromptPair> &prompts, const ScheduleSteps &steps, bool larger);
    PassGuidance guidanceOfBatch();
    PassGuidance guidanceOfLarger();
    torch::Tensor sample(const SamplingPass &pass, PassGuidance guidance, sampling::NoiseSource &noise,
                         const SamplingPass::Start &start);
    bool searchesNoise(const SamplingPass &pass) const;
    torch::Tensor firstNoise(const SamplingPass &pass, sampling::NoiseSource &noise, const SamplingPass::Start &start);
    torch::Tensor startLatents() const;
    torch::Tensor drawBatch();
    torch::Tensor drawBoth(std::int64_t batch);
    torch::Tensor drawLarger(const torch::Tensor &latents);
    torch::Tensor goOnLarger();
    std::int64_t partsOfBatch() const { return m_hires ? m_tools.enlargeParts * m_request.batchSize : 0; }
    torch::Tensor enlarged(const torch::Tensor &latents);
    torch::Tensor decodeOne(Checkpoint &checkpoint, const torch::Tensor &latent);
    void stepMade(const sampling::SamplerStep &step);
    void decode(const torch::Tensor &latents);
    bool keeps() const { return m_tools.kept && !m_tools.drawing.empty(); }
    torch::Tensor keptLatents(std::int64_t batch);
    torch::Tensor keptFirstPass(std::int64_t batch);
    std::string firstPassDrawing() const { return m_tools.drawing + "\nfirst pass"; }
    void preview(std::int64_t step, const torch::Tensor &latent);
    void report(StepProgress progress, std::int64_t parts = 0);

    TaskModels m_models;
    Checkpoint &m_checkpoint;  // the base's
    const GenerationRequest &m_request;
    const TaskTools &m_tools;
    GenerationSink &m_sink;
    StartLatent m_start;
    std::optional<SamplingPass> m_first, m_hires;
    std::unique_ptr<Inspector> m_inspector;  // where something is to be shown
    const ParkedTask *m_from = nullptr;      // until the pass that was left goes on
    std::unique_ptr<ParkedTask> m_left;
    std::map<std::string, std::string> m_embeddings;  // that the running batch uses
    sampling::SamplerContext m_context;
    const Checkpoint *m_drawing;     // that of the running pass
    std::int64_t m_steps = 0;        // of both passes of a batch
    std::int64_t m_stepsBefore = 0;  // those of the pass that is over
    std::int64_t m_firstImage = 0;   // of the running batch
    std::int64_t m_parts = 0;        // of enlarging, of the running batch
    std::int64_t m_decoded = 0;      // pictures of the running batch
    DecodedPreviews m_previews;
};

Task::Task(const TaskModels &models, const GenerationRequest &request, const TaskTools &tools, GenerationSink &sink,
           std::stop_token stop)
    : m_models(models), m_checkpoint(models.base.checkpoint), m_request(request), m_tools(tools), m_sink(sink),
      m_drawing(&models.base.checkpoint)
{
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    for (const auto &[name, side] : {std::pair("width", request.width), std::pair("height", request.height)})
        if (side < factor || side % factor != 0)
            throw Failure{
                {ErrorCode::InvalidArgument,
                 std::string(name) + " must be a multiple of " + std::to_string(factor) + " with this checkpoint",
                 name}};
    m_first.emplace(m_checkpoint, firstPlan(request, m_checkpoint.config), request.sampling);
    m_steps = m_first->updates();
    if (searchesNoise(*m_first)) m_steps += request.alternativeNoise.steps;
    if (request.hires.enabled) {
        Checkpoint &larger = models.hires ? models.hires->checkpoint : m_checkpoint;
        requireSameLatents(m_checkpoint, larger, isLatentUpscaler(request.hires.upscaler), "hr_checkpoint_name");
        m_hires.emplace(larger, hiresPlan(request, larger.config), request.sampling);
        m_steps += m_hires->updates();
    }
    for (const bool larger : {false, true}) {
        if (!refines(larger)) continue;
        SamplingPass &pass = larger ? *m_hires : *m_first;
        Checkpoint &refiner = models.refiner->checkpoint;
        requireSameLatents(pass.checkpoint(), refiner, true, "refiner_checkpoint");
        if (refiner.config.imageInput != ImageInput::None)
            throw Failure{{ErrorCode::InvalidArgument, "refiner_checkpoint must not be an inpainting or editing model",
                           "refiner_checkpoint"}};
        pass.setRefiner(refiner, request.refiner, request.sampling);
    }
    m_context.stop = std::move(stop);
    m_context.observer = [this](const sampling::SamplerStep &step) { stepMade(step); };
    m_context.leave = [this] { return m_sink.pauseWanted(); };
    if (sink.inspection()) m_inspector = std::make_unique<Inspector>(*sink.inspection(), sink);
}

/// Whether the refiner finishes this pass. Without hires fix there is but the first.
bool Task::refines(bool larger) const
{
    if (!m_models.refiner || (larger && !m_hires)) return false;
    const RefinerPass pass = m_request.refiner.pass;
    return !m_hires || pass == RefinerPass::Both || larger == (pass == RefinerPass::Second);
}

/// Everything that happens once to the start pictures, and what a network reads beside the latents in all batches.
void Task::begin(const PreparedStart &start, const ParkedTask *from)
{
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    if (from)
        m_start = from->start;
    else if (m_request.start.used())
        m_start = makeStart(m_checkpoint, start, m_request, m_context.stop);
    const double weight = m_request.start.maskWeight;
    if (m_request.start.used() && weight != 1 && m_checkpoint.config.imageInput == ImageInput::Inpaint)
        m_sink.fact("Conditional mask weight", dumpJson(Json(weight)));
    if (!m_start.concat.defined())
        m_start.concat = emptyConcat(m_checkpoint, m_request.width / factor, m_request.height / factor);
    m_first->setConcat(m_start.concat);
    if (m_request.start.used()) m_first->setImageScale(m_request.start.imageScale);
    if (!m_hires) return;
    const HiresSize &size = m_request.hires.size;
    m_hires->setConcat(emptyConcat(m_hires->checkpoint(), size.width / factor, size.height / factor));
}

void Task::requireUnchanged() const
{
    m_checkpoint.requireUnchanged();
    for (const std::optional<TaskModel> &model : {m_models.hires, m_models.refiner})
        if (model) model->checkpoint.requireUnchanged();
}

sampling::NoiseSource Task::noiseOfBatch(std::int64_t width, std::int64_t height) const
{
    std::vector<sampling::ImageSeed> seeds;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(m_firstImage + i)),
                         static_cast<std::uint64_t>(m_request.imageSubseed(m_firstImage + i))});
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    const SamplerSettings &settings = m_request.sampling;
    return {seeds,
            {m_checkpoint.config.latentChannels, height, width},
            {.source = sampling::randomSourceOf(settings.randomSource),
             .device = m_checkpoint.device,
             .subseedStrength = m_request.subseedStrength,
             .resizeFromHeight = settings.resizeFromHeight / factor,
             .resizeFromWidth = settings.resizeFromWidth / factor,
             .seedDelta = settings.seedDelta}};
}

/// What fills the masked part with noise. As A1111: every batch gets the first one's noise here, without the variation.
sampling::NoiseSource Task::noiseOfFill(std::int64_t width, std::int64_t height) const
{
    std::vector<sampling::ImageSeed> seeds;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(i)), 0});
    return {seeds,
            {m_checkpoint.config.latentChannels, height, width},
            {.source = sampling::randomSourceOf(m_request.sampling.randomSource), .device = m_checkpoint.device}};
}

/// The guidance of a pass of the running batch, after its networks have become what its prompts want.
PassGuidance Task::guide(const std::vector<PromptPair> &prompts, const ScheduleSteps &steps, bool larger)
{
    if (m_tools.useNetworks) {
        std::vector<std::string> texts;
        for (const PromptPair &pair : prompts)
            texts.push_back(m_request.withoutLoras ? std::string() : pair.prompt);
        m_tools.useNetworks(texts, larger);
    }
    const HiresSize &size = m_request.hires.size;
    // SDXL is told the size before what is too much is cut off, as A1111 tells it.
    const std::int64_t width = larger ? size.upWidth : m_request.width;
    const std::int64_t height = larger ? size.upHeight : m_request.height;
    const auto words = [&](const TaskModel &model) {
        return promptGuidance(model.checkpoint, model.conditioner, m_request, prompts, steps,
                              dressFor(model.checkpoint, width, height));
    };
    PromptGuidance made = words(larger && m_models.hires ? *m_models.hires : m_models.base);
    m_embeddings.merge(made.embeddings);
    if (m_tools.embeddingsUsed) m_tools.embeddingsUsed(m_embeddings);
    PassGuidance both{std::move(made.guidance), {}};
    if (refines(larger)) both.refined = words(*m_models.refiner).guidance;
    return both;
}

PassGuidance Task::guidanceOfBatch()
{
    std::vector<PromptPair> prompts;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        prompts.push_back(m_request.imagePrompts(m_firstImage + i));
    m_embeddings.clear();
    PassGuidance guidance = guide(prompts, {.steps = callsOf(m_request.sampler, m_request.steps)}, /*larger=*/false);
    if (m_request.start.used()) {
        const sampling::ScheduleTail tail =
            sampling::scheduleTail(m_request.steps, m_request.denoisingStrength, m_request.start.exactSteps);
        // A1111's prompts count all steps here, its guidance those that are made.
        guidance.base.options.calls = guidance.refined.options.calls = callsOf(m_request.sampler, tail.walked);
    }
    return guidance;
}

PassGuidance Task::guidanceOfLarger()
{
    std::vector<PromptPair> prompts;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        prompts.push_back(m_request.imageHiresPrompts(m_firstImage + i));
    const HiresPass &hires = m_request.hires;
    return guide(
        prompts,
        {.steps = callsOf(m_request.sampler, m_request.steps), .hiresSteps = callsOf(hires.sampler, hires.steps)},
        /*larger=*/true);
}

std::unique_ptr<ParkedTask> Task::run(const ParkedTask *from)
{
    m_from = from;
    try {
        for (std::int64_t iteration = from ? from->iteration : 0; iteration < m_request.iterations; ++iteration) {
            m_firstImage = iteration * m_request.batchSize;
            requireUnchanged();
            m_stepsBefore = 0;
            m_parts = m_decoded = 0;
            const bool inLarger = m_from && m_from->larger;
            torch::Tensor latents = m_from ? torch::Tensor() : keptLatents(iteration);
            if (!latents.defined()) {
                latents = inLarger ? goOnLarger() : m_hires ? drawBoth(iteration) : drawBatch();
            }
            requireUnchanged();
            decode(latents);
        }
    } catch (const PassLeft &) {
        return std::move(m_left);
    }
    return {};
}

torch::Tensor Task::sample(const SamplingPass &pass, PassGuidance guidance, sampling::NoiseSource &noise,
                           const SamplingPass::Start &start)
{
    const torch::Device device = m_checkpoint.device;
    m_drawing = &pass.checkpoint();
    const ParkedTask *from = std::exchange(m_from, nullptr);
    if (from)
        noise = from->noise;
    else
        pass.prepare(noise);
    m_context.noise.next = [&noise, device] { return noise.next().to(device); };
    m_context.noise.between = [&noise, device](float from, float to) { return noise.between(from, to).to(device); };
    torch::Tensor first;
    if (!from)
        first = firstNoise(pass, noise, start);
    else if (searchesNoise(pass))
        m_stepsBefore += m_request.alternativeNoise.steps;
    if (m_inspector) m_inspector->beginStep(m_stepsBefore + (from ? from->pass.sampler.step : 0) + 1);
    const nn::Probe::Scope probe(m_inspector.get());
    torch::Tensor latents;
    try {
        latents = pass.run(std::move(guidance.base), std::move(guidance.refined), first, start, m_context,
                           from ? &from->pass : nullptr);
    } catch (PassLeft &left) {
        m_left = std::make_unique<ParkedTask>(
            ParkedTask{m_firstImage / m_request.batchSize, &pass != &*m_first, m_start, std::move(left.state), noise});
        throw;
    }
    requireFinite(latents, "in the latents");
    m_stepsBefore += pass.updates();
    return latents;
}

bool Task::searchesNoise(const SamplingPass &pass) const
{
    return m_request.start.used() && m_request.alternativeNoise.enabled && &pass == &*m_first && pass.updates() > 0;
}

/// The seeds' noise; from pictures as much of it as was asked for, or that which is found in them.
torch::Tensor Task::firstNoise(const SamplingPass &pass, sampling::NoiseSource &noise, const SamplingPass::Start &start)
{
    const torch::Tensor drawn = noise.first().to(m_checkpoint.device);
    if (&pass != &*m_first || !m_request.start.used()) return drawn;
    const AlternativeNoise &search = m_request.alternativeNoise;
    if (!searchesNoise(pass)) return drawn * m_request.start.noiseMultiplier;
    GenerationRequest asked = m_request;
    asked.cfgScale = search.cfgScale;
    asked.cfgRescale = asked.skipEarlyCfg = asked.sMinUncond = asked.guidanceStart = 0;
    asked.guidanceEnd = 1;
    const std::vector<PromptPair> prompts{{search.prompt, search.negativePrompt}};
    PromptGuidance words =
        promptGuidance(m_checkpoint, m_models.base.conditioner, asked, prompts, {.steps = search.steps},
                       dressFor(m_checkpoint, m_request.width, m_request.height));
    const torch::Tensor found = pass.noiseOf(start.latent, std::move(words.guidance), search, m_context);
    requireFinite(found, "in the noise that was searched for");
    m_stepsBefore += search.steps;
    return pass.replacing(found, drawn, start.latent, search.randomness);
}

/// What every batch begins with: the pictures' latents, the masked part filled.
torch::Tensor Task::startLatents() const
{
    torch::Tensor fill;
    if (m_request.start.maskedContent == MaskedContent::LatentNoise)
        fill = noiseOfFill(m_start.latent.size(3), m_start.latent.size(2)).first().to(m_checkpoint.device);
    return withMaskedContent(m_start, m_request.start.maskedContent, fill);
}

torch::Tensor Task::drawBatch()
{
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    const std::int64_t width = m_request.width / factor, height = m_request.height / factor;
    sampling::NoiseSource noise = noiseOfBatch(width, height);
    if (!m_start.latent.defined()) return sample(*m_first, guidanceOfBatch(), noise, {});
    SamplingPass::Start start{startLatents(), m_start.redraw};
    if (m_request.start.soft.enabled) start.soft = m_request.start.soft;
    return sample(*m_first, guidanceOfBatch(), noise, start);
}

/// Both passes of hires fix. What the first drew is kept where there is no memory to make it larger.
torch::Tensor Task::drawBoth(std::int64_t batch)
{
    torch::Tensor small = keptFirstPass(batch);
    if (!small.defined()) small = drawBatch();
    torch::Tensor large;
    try {
        large = drawLarger(small);
    } catch (Failure &failure) {
        if (!keeps() || failure.error.code != ErrorCode::OutOfMemory) throw;
        m_tools.kept->keep(firstPassDrawing(), batch, small);
        sayKept(failure, m_request, "makes them larger without drawing the first pass again");
        throw;
    }
    if (keeps()) m_tools.kept->drop(firstPassDrawing(), batch);
    return large;
}

/// Hires fix: the latents made larger, the seeds' noise of that size on them, and drawn again.
torch::Tensor Task::drawLarger(const torch::Tensor &latents)
{
    requireNotStopped(m_context.stop);
    const torch::Tensor start = enlarged(latents);
    sampling::NoiseSource noise = noiseOfBatch(start.size(3), start.size(2));
    return sample(*m_hires, guidanceOfLarger(), noise, {start, {}});
}

/// From a step boundary in hires fix's pass. The first pass is over; what its prompts named belongs to the pictures.
torch::Tensor Task::goOnLarger()
{
    m_stepsBefore = m_first->updates();
    (void)guidanceOfBatch();
    sampling::NoiseSource noise = m_from->noise;
    return sample(*m_hires, guidanceOfLarger(), noise, {});
}

torch::Tensor Task::enlarged(const torch::Tensor &latents)
{
    const HiresPass &hires = m_request.hires;
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    torch::Tensor large;
    if (isLatentUpscaler(hires.upscaler)) {
        large = resizeLatent(latents, hires.upscaler, hires.size.upWidth / factor, hires.size.upHeight / factor);
    } else {
        if (!m_tools.enlarge)
            throw Failure{{ErrorCode::InvalidArgument, "unknown upscaler \"" + hires.upscaler + "\"", "hr_upscaler"}};
        std::vector<torch::Tensor> all;
        for (std::int64_t i = 0; i < latents.size(0); ++i) {
            requireNotStopped(m_context.stop);
            const Image small = toImage(decodeOne(m_checkpoint, latents.narrow(0, i, 1)));
            const auto partDone = [this] { report({.step = m_stepsBefore, .sampled = false}, 1); };
            const Image grown = m_tools.enlarge(small, static_cast<int>(hires.size.upWidth),
                                                static_cast<int>(hires.size.upHeight), partDone);
            all.push_back(encodePictures(m_hires->checkpoint(), {grown}, m_context.stop));
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
    const std::int64_t made = std::min(m_stepsBefore + step.index + 1, m_steps);
    if (m_inspector) m_inspector->stepMade(made, step);
    report({.step = made, .sigma = step.sigma});
    if (m_sink.previewDue()) preview(made, step.denoised[0]);
}

void Task::preview(std::int64_t step, const torch::Tensor &latent)
{
    const std::string &wanted = m_request.coding.previews;
    Autoencoder *vae = wanted == kPreviewFull   ? m_drawing->vae.get()
                       : wanted == kPreviewTiny ? m_tools.tiny.get()
                                                : nullptr;
    if (!vae) return m_sink.preview(step, m_firstImage, previewImage(latent, m_drawing->config.latentToRgb));
    if (std::optional<Image> made = m_previews.make(*vae, latent)) m_sink.preview(step, m_firstImage, std::move(*made));
}

void Task::report(StepProgress progress, std::int64_t parts)
{
    m_parts = progress.step > m_first->updates() ? partsOfBatch() : m_parts + parts;
    progress.steps = m_steps;
    progress.image = m_firstImage;
    progress.images = m_request.imageCount();
    // Samplers with steps of their own size may make more of them than was said.
    const std::int64_t ofBatch = m_steps + partsOfBatch() + m_request.batchSize;
    const std::int64_t done = m_firstImage / m_request.batchSize * ofBatch + progress.step + m_parts + m_decoded;
    progress.fraction = static_cast<double>(done) / static_cast<double>(m_request.iterations * ofBatch);
    m_sink.progress(progress);
}

torch::Tensor Task::decodeOne(Checkpoint &checkpoint, const torch::Tensor &latent)
{
    const torch::Tensor picture = coding::decode(*checkpoint.vae, latent.to(checkpoint.vaeDtype));
    requireFinite(picture, "in the decoded picture");
    checkpoint.requireUnchanged();  // the decoder's weights may have been read from the file just now
    return picture[0];
}

void Task::decode(const torch::Tensor &latents)
{
    Checkpoint &checkpoint = m_hires ? m_hires->checkpoint() : m_checkpoint;
    const std::int64_t batch = m_firstImage / m_request.batchSize;
    torch::Tensor begun;
    if (m_request.start.soft.enabled && m_start.redraw.defined() && m_tools.latentsMoved) begun = startLatents();
    try {
        for (std::int64_t i = 0; i < latents.size(0); ++i) {
            requireNotStopped(m_context.stop);
            if (begun.defined()) m_tools.latentsMoved(m_firstImage + i, movedBetween(begun[i], latents[i]));
            m_sink.image(m_firstImage + i, toImage(decodeOne(checkpoint, latents.narrow(0, i, 1))));
            m_decoded = i + 1;
            report({.step = m_steps, .sampled = false});
        }
    } catch (Failure &failure) {
        if (!keeps() || failure.error.code != ErrorCode::OutOfMemory) throw;
        m_tools.kept->keep(m_tools.drawing, batch, latents);
        sayKept(failure, m_request, "decodes them without drawing again");
        throw;
    }
    if (keeps()) m_tools.kept->drop(m_tools.drawing, batch);
}

/// Those of a batch that was drawn before and could not be decoded. What its prompts name belongs to the pictures.
torch::Tensor Task::keptLatents(std::int64_t batch)
{
    if (!keeps()) return {};
    torch::Tensor kept = m_tools.kept->find(m_tools.drawing, batch);
    if (!kept.defined()) return {};
    (void)guidanceOfBatch();
    if (m_hires) (void)guidanceOfLarger();
    m_sink.warning("the latents were kept from the last try: they were decoded without drawing them again");
    return kept;
}

/// Those of hires fix's first pass, where they could not be made larger.
torch::Tensor Task::keptFirstPass(std::int64_t batch)
{
    if (!keeps()) return {};
    torch::Tensor kept = m_tools.kept->find(firstPassDrawing(), batch);
    if (!kept.defined()) return {};
    (void)guidanceOfBatch();
    m_stepsBefore = m_first->updates();
    m_sink.warning("the first pass was kept from the last try: it was not drawn again");
    return kept;
}

/// How the running task codes pictures. Tiles that it did not ask for are said in the infotext, so that the same
/// pixels can be made again.
coding::Options codingOptions(const GenerationRequest &request, const TaskTools &tools, const Checkpoint &checkpoint,
                              GenerationSink &sink, std::stop_token stop)
{
    const std::int64_t factor = checkpoint.config.latentFactor;
    coding::Options options;
    options.tiling = request.coding.tiling == "On"    ? coding::Tiling::On
                     : request.coding.tiling == "Off" ? coding::Tiling::Off
                                                      : coding::Tiling::Auto;
    options.tileSide = std::max<std::int64_t>(1, request.coding.tileSize / factor);
    options.stop = std::move(stop);
    options.room = tools.room;
    options.begins = tools.codes;
    const HiresPass &hires = request.hires;
    options.taskSide = coding::taskSideFor(*checkpoint.vae, options, checkpoint.device,
                                           std::max(request.height, hires.enabled ? hires.size.height : 0) / factor,
                                           std::max(request.width, hires.enabled ? hires.size.width : 0) / factor,
                                           hires.enabled || request.start.used());
    options.tiled = [&sink, factor](const std::string &why, std::int64_t side) {
        sink.warning(why);
        sink.fact("VAE tiling", "On");
        sink.fact("VAE tile size", std::to_string(side * factor));
    };
    return options;
}

}  // namespace

std::uint64_t ParkedTask::bytes() const
{
    std::uint64_t sum = 0;
    const auto add = [&sum](const torch::Tensor &tensor) { sum += tensor.defined() ? tensor.nbytes() : 0; };
    for (const torch::Tensor &tensor : {start.latent, start.redraw, start.concat, pass.sampler.x})
        add(tensor);
    for (const torch::Tensor &tensor : pass.sampler.tensors)
        add(tensor);
    return sum;
}

std::unique_ptr<ParkedTask> drawPictures(const TaskModels &models, const GenerationRequest &request,
                                         const PreparedStart &start, const TaskTools &tools, GenerationSink &sink,
                                         std::stop_token stop, const ParkedTask *from)
{
    const nn::Pulse::Scope pulse([&sink] { sink.alive(); });
    const nn::WrapScope wrap({request.coding.wrapsAcross, request.coding.wrapsDown});
    const coding::Scope coding(codingOptions(request, tools, models.base.checkpoint, sink, stop));
    Task task(models, request, tools, sink, std::move(stop));
    task.begin(start, from);
    return task.run(from);
}

void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop)
{
    (void)drawPictures({{checkpoint, conditioner}}, request, {}, {}, sink, std::move(stop));
}

}  // namespace sg
