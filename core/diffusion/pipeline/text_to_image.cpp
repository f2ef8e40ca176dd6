#include "core/diffusion/pipeline/text_to_image.h"

#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/pipeline/prompt_guidance.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/sampling_plan.h"
#include "core/params/samplers.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

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

/// What the request says of the walk; img2img adds where it begins.
sampling::PlanRequest planOf(const GenerationRequest &request, const CheckpointConfig &config)
{
    const SamplerSettings &settings = request.sampling;
    sampling::PlanRequest plan;
    plan.sampler = request.sampler;
    plan.schedule = request.schedule;
    plan.steps = static_cast<int>(request.steps);
    plan.discardNextToLast = settings.discardNextToLast;
    plan.sgmNoise = settings.sgmNoise;
    plan.sampling = {.eta = request.eta < 0 ? settings.etaAncestral : request.eta,
                     .etaDdim = request.eta < 0 ? settings.etaDdim : request.eta,
                     .churn = settings.churn,
                     .churnMinimum = settings.churnMinimum,
                     .churnMaximum = settings.churnMaximum,
                     .noiseScale = settings.noiseScale,
                     .uniPcOrder = static_cast<int>(settings.uniPcOrder)};
    plan.schedules = {.sigmaMin = settings.sigmaMin,
                      .sigmaMax = settings.sigmaMax,
                      .rho = settings.rho,
                      .betaAlpha = settings.betaAlpha,
                      .betaBeta = settings.betaBeta,
                      .sdxl = config.family == BaseFamily::Sdxl};
    return plan;
}

/// One text-to-image task: what stays the same for all its batches.
class Task {
public:
    Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, GenerationSink &sink,
         std::stop_token stop);
    void run();

private:
    torch::Tensor sample(const sampling::GuidedModel &model, sampling::NoiseSource &noise);
    sampling::NoiseSource noiseOfBatch() const;
    sampling::Guidance guidanceOfBatch() const;
    void stepMade(const sampling::SamplerStep &step);
    void decode(const torch::Tensor &latents);
    void report(StepProgress progress);

    Checkpoint &m_checkpoint;
    Conditioner &m_conditioner;
    const GenerationRequest &m_request;
    GenerationSink &m_sink;
    sampling::DiscreteSchedule m_levels;
    std::optional<sampling::SamplingPlan> m_plan;
    sampling::SamplerContext m_context;
    std::int64_t m_steps = 0;       // that the sampler makes for each batch
    std::int64_t m_firstImage = 0;  // of the running batch
    std::int64_t m_unitsDone = 0;   // a step of a batch or a decoded picture each
};

Task::Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, GenerationSink &sink,
           std::stop_token stop)
    : m_checkpoint(checkpoint), m_conditioner(conditioner), m_request(request), m_sink(sink)
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
    m_plan.emplace(planOf(request, checkpoint.config), m_levels);
    m_steps = m_plan->updates();
    m_context.stop = std::move(stop);
    m_context.observer = [this](const sampling::SamplerStep &step) { stepMade(step); };
}

sampling::NoiseSource Task::noiseOfBatch() const
{
    std::vector<sampling::ImageSeed> seeds;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(m_firstImage + i)),
                         static_cast<std::uint64_t>(m_request.imageSubseed(m_firstImage + i))});
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    const SamplerSettings &settings = m_request.sampling;
    return {seeds,
            {m_checkpoint.config.latentChannels, m_request.height / factor, m_request.width / factor},
            {.source = sampling::randomSourceOf(settings.randomSource),
             .device = m_checkpoint.device,
             .subseedStrength = m_request.subseedStrength,
             .resizeFromHeight = settings.resizeFromHeight / factor,
             .resizeFromWidth = settings.resizeFromWidth / factor,
             .seedDelta = settings.seedDelta}};
}

sampling::Guidance Task::guidanceOfBatch() const
{
    std::vector<PromptPair> prompts;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        prompts.push_back(m_request.imagePrompts(m_firstImage + i));
    const std::int64_t calls = m_request.steps * (findSampler(m_request.sampler)->secondOrder ? 2 : 1);
    return promptGuidance(m_checkpoint, m_conditioner, m_request, prompts, {.steps = calls},
                          [](const PromptEmbedding &prompt, bool) {
                              return sampling::Conditioning{prompt.context, {}, {}};
                          });
}

void Task::run()
{
    const sampling::NoiseNetwork network = [this](const torch::Tensor &x, const torch::Tensor &timesteps,
                                                  const sampling::Conditioning &told) {
        return m_checkpoint.unet->forward(x, timesteps, told.context);
    };
    for (std::int64_t iteration = 0; iteration < m_request.iterations; ++iteration) {
        m_firstImage = iteration * m_request.batchSize;
        m_checkpoint.requireUnchanged();
        const sampling::GuidedModel model(network, m_levels, m_checkpoint.config.prediction, guidanceOfBatch(),
                                          m_checkpoint.dtype);
        sampling::NoiseSource noise = noiseOfBatch();
        const torch::Tensor latents = sample(model, noise);
        requireFinite(latents, "in the latents");
        m_checkpoint.requireUnchanged();
        decode(latents);
    }
}

torch::Tensor Task::sample(const sampling::GuidedModel &model, sampling::NoiseSource &noise)
{
    const torch::Device device = m_checkpoint.device;
    m_plan->prepare(noise);
    m_context.noise.next = [&noise, device] { return noise.next().to(device); };
    m_context.noise.between = [&noise, device](float from, float to) { return noise.between(from, to).to(device); };
    return sampling::runSampler(m_plan->sampler(), m_plan->begin(noise.first().to(device)), model.denoiser(), m_context);
}

void Task::stepMade(const sampling::SamplerStep &step)
{
    // Early, so that a damaged checkpoint costs one step and not all of them.
    requireFinite(step.denoised, "in a sampler step");
    ++m_unitsDone;
    report({.step = step.index + 1, .sigma = step.sigma});
    if (m_sink.previewDue())
        m_sink.preview(step.index + 1, m_firstImage, previewImage(step.denoised[0], m_checkpoint.config.latentToRgb));
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

void Task::decode(const torch::Tensor &latents)
{
    for (std::int64_t i = 0; i < latents.size(0); ++i) {
        if (m_context.stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
        const torch::Tensor picture = m_checkpoint.vae->decode(latents.narrow(0, i, 1).to(m_checkpoint.vaeDtype));
        requireFinite(picture, "in the decoded picture");
        m_checkpoint.requireUnchanged();  // the decoder's weights may have been read from the file just now
        m_sink.image(m_firstImage + i, toImage(picture[0]));
        ++m_unitsDone;
        report({.step = m_steps, .sampled = false});
    }
}

}  // namespace

void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop)
{
    Task(checkpoint, conditioner, request, sink, std::move(stop)).run();
}

}  // namespace sg
