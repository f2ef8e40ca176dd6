#include "core/diffusion/pipeline/text_to_image.h"

#include "core/diffusion/pipeline/latent_image.h"
#include "core/diffusion/pipeline/vector_conditioning.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/diffusion/sampling/samplers.h"
#include "core/diffusion/sampling/schedules.h"
#include "core/params/samplers.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace sg {
namespace {

// A1111's defaults for the refiner.
constexpr double kWantedScore = 6;
constexpr double kUnwantedScore = 2.5;

// What a network that wants to see a picture is shown where there is none: for inpainting, all of a grey one is to be
// drawn; for editing, nothing.
torch::Tensor emptyPicture(Checkpoint &checkpoint, std::int64_t height, std::int64_t width)
{
    const CheckpointConfig &config = checkpoint.config;
    if (config.imageInput == ImageInput::None) return {};
    const auto options = torch::TensorOptions().dtype(torch::kFloat).device(checkpoint.device);
    if (config.imageInput == ImageInput::Edit)
        return torch::zeros({1, config.latentChannels, height / config.latentFactor, width / config.latentFactor},
                            options);
    const torch::Tensor grey = torch::zeros({1, config.vae.pictureChannels, height, width}, options);
    const torch::Tensor latent = checkpoint.vae->encode(grey.to(checkpoint.vaeDtype)).to(torch::kFloat);
    return torch::cat({torch::ones_like(latent.narrow(1, 0, 1)), latent}, 1);
}

void requireFinite(const torch::Tensor &tensor, const char *what)
{
    if (tensor.isfinite().all().item<bool>()) return;
    throw Failure{{ErrorCode::NonFinite,
                   std::string("the network produced values that are not numbers (") + what +
                       "); the checkpoint is damaged, or its numbers do not fit the precision in use",
                   {}}};
}

const SamplerSpec &samplerOf(const GenerationRequest &request)
{
    const SamplerSpec *sampler = findSampler(request.sampler);
    if (!sampler)
        throw Failure{{ErrorCode::InvalidArgument, "unknown sampler \"" + request.sampler + "\"", "sampler_name"}};
    return *sampler;
}

std::string_view scheduleOf(const GenerationRequest &request)
{
    const ScheduleSpec *schedule = findSchedule(request.schedule);
    if (!schedule)
        throw Failure{{ErrorCode::InvalidArgument, "unknown schedule \"" + request.schedule + "\"", "scheduler"}};
    return effectiveSchedule(samplerOf(request), *schedule).name;
}

/// One text-to-image task: what stays the same for all its batches.
class Task {
public:
    Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, GenerationSink &sink,
         std::stop_token stop);
    void run();

private:
    torch::Tensor sample(const sampling::GuidedModel &model, sampling::NoiseSource &noise);
    torch::Tensor sampleTimesteps(const sampling::GuidedModel &model, torch::Tensor x);
    sampling::Conditioning conditioning(PromptEmbedding prompt, bool wanted) const;
    sampling::NoiseSource noiseOfBatch() const;
    void stepMade(const sampling::SamplerStep &step);
    void decode(const torch::Tensor &latents);
    void report(StepProgress progress);

    Checkpoint &m_checkpoint;
    const GenerationRequest &m_request;
    GenerationSink &m_sink;
    sampling::DiscreteSchedule m_levels;
    sampling::Guidance m_guidance;
    std::vector<float> m_sigmas;   // of samplers that walk sigmas
    std::vector<int> m_timesteps;  // of the others
    sampling::SamplerContext m_context;
    std::int64_t m_steps = 0;       // that the sampler makes for each batch
    std::int64_t m_firstImage = 0;  // of the running batch
    std::int64_t m_unitsDone = 0;   // a step of a batch or a decoded picture each
};

Task::Task(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, GenerationSink &sink,
           std::stop_token stop)
    : m_checkpoint(checkpoint), m_request(request), m_sink(sink)
{
    const std::int64_t factor = checkpoint.config.latentFactor;
    for (const auto &[name, side] : {std::pair("width", request.width), std::pair("height", request.height)})
        if (side < factor || side % factor != 0)
            throw Failure{
                {ErrorCode::InvalidArgument,
                 std::string(name) + " must be a multiple of " + std::to_string(factor) + " with this checkpoint",
                 name}};
    m_levels = checkpoint.levels();
    const auto steps = static_cast<int>(request.steps);
    if (samplerOf(request).usesSchedule)
        m_sigmas = sampling::sigmasFor(scheduleOf(request), steps, m_levels);
    else
        m_timesteps = sampling::timestepsFor(steps, m_levels);
    m_steps = static_cast<std::int64_t>(m_sigmas.empty() ? m_timesteps.size() : m_sigmas.size()) - 1;
    m_guidance = {conditioning(conditioner.embed(checkpoint, request.prompt), /*wanted=*/true),
                  conditioning(conditioner.embed(checkpoint, request.negativePrompt), /*wanted=*/false),
                  request.cfgScale};
    m_context.stop = std::move(stop);
    m_context.eta = request.eta;
    m_context.observer = [this](const sampling::SamplerStep &step) { stepMade(step); };
}

sampling::Conditioning Task::conditioning(PromptEmbedding prompt, bool wanted) const
{
    const CheckpointConfig &config = m_checkpoint.config;
    if (!wanted && config.emptyNegativeIsZero && m_request.negativePrompt.empty()) {
        prompt.context = torch::zeros_like(prompt.context);
        if (prompt.pooled.defined()) prompt.pooled = torch::zeros_like(prompt.pooled);
    }
    const std::int64_t height = m_request.height, width = m_request.width;
    const PictureSizes sizes{height, width, 0, 0, height, width, wanted ? kWantedScore : kUnwantedScore};
    sampling::Conditioning made{prompt.context, {}, {}};
    if (prompt.pooled.defined()) made.vector = vectorConditioning(config, prompt.pooled, sizes, m_checkpoint.dtype);
    made.concat = emptyPicture(m_checkpoint, height, width);
    return made;
}

sampling::NoiseSource Task::noiseOfBatch() const
{
    std::vector<sampling::ImageSeed> seeds;
    for (std::int64_t i = 0; i < m_request.batchSize; ++i)
        seeds.push_back({static_cast<std::uint64_t>(m_request.imageSeed(m_firstImage + i)),
                         static_cast<std::uint64_t>(m_request.imageSubseed(m_firstImage + i))});
    const std::int64_t factor = m_checkpoint.config.latentFactor;
    return {seeds,
            m_request.subseedStrength,
            {m_checkpoint.config.latentChannels, m_request.height / factor, m_request.width / factor}};
}

void Task::run()
{
    const sampling::NoiseNetwork network = [this](const torch::Tensor &x, const torch::Tensor &timesteps,
                                                  const sampling::Conditioning &told) {
        return m_checkpoint.predict(x, timesteps, told);
    };
    const sampling::GuidedModel model(network, m_levels, m_checkpoint.config.prediction, m_guidance,
                                      m_checkpoint.dtype);
    for (std::int64_t iteration = 0; iteration < m_request.iterations; ++iteration) {
        m_firstImage = iteration * m_request.batchSize;
        m_checkpoint.requireUnchanged();
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
    m_context.noise = [&noise, device] { return noise.next().to(device); };
    const torch::Tensor start = noise.first().to(device);
    if (m_sigmas.empty()) return sampleTimesteps(model, start);
    sampling::SigmaSampler *const sampler = sampling::findSigmaSampler(m_request.sampler);
    if (!sampler)
        throw Failure{{ErrorCode::Internal, "no sampler is named \"" + m_request.sampler + "\"", "sampler_name"}};
    const auto predict = [&](const torch::Tensor &x, float sigma) { return model.x0(x, sigma); };
    return sampler(predict, start * m_sigmas.front(), m_sigmas, m_context);
}

torch::Tensor Task::sampleTimesteps(const sampling::GuidedModel &model, torch::Tensor x)
{
    std::vector<float> alphas;
    for (std::size_t t = 0; t < m_levels.size(); ++t)
        alphas.push_back(m_levels.alphaCumprod(t));
    const auto predict = [&](const torch::Tensor &at, int t) { return model.eps(at, t); };
    return sampling::sampleDdim(predict, std::move(x), m_timesteps, alphas, m_context);
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
