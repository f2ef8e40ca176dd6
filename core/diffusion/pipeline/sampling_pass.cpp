#include "core/diffusion/pipeline/sampling_pass.h"

#include "core/base/error.h"
#include "core/diffusion/sampling/schedules.h"
#include "core/params/samplers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sg {
namespace {

/// The words with the channels that stand beside the latents; of a picture with words of its own, that picture's.
void addConcat(sampling::Words &words, const torch::Tensor &concat)
{
    const auto lists = static_cast<std::int64_t>(words.pictures.size());
    for (std::int64_t i = 0; i < lists; ++i) {
        const torch::Tensor own = lists == 1 ? concat : concat.narrow(0, std::min(i, concat.size(0) - 1), 1);
        for (sampling::Words::Part &part : words.pictures[static_cast<std::size_t>(i)])
            part.at = [at = std::move(part.at), own](std::int64_t call) {
                sampling::Conditioning told = at(call);
                told.concat = own;
                return told;
            };
    }
}

/// A part with the picture and without the wanted words, so that with neither as the other side
/// neither + words * (both - picture) + image * (picture - neither) comes of the parts' weights.
void addPictureAlone(sampling::Guidance &guidance, double imageScale)
{
    if (guidance.scale == 0) return;
    auto &wanted = guidance.wanted.pictures, &unwanted = guidance.unwanted.pictures;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const sampling::Words::Part &plain = unwanted[std::min(i, unwanted.size() - 1)].front();
        wanted[i].push_back({imageScale / guidance.scale - 1, plain.at});
    }
}

/// Two latents mixed, each latent pixel as long as the mean of the two lengths with that exponent, which keeps the
/// contrast that a mix of things unlike each other loses. Shapes  a, b [B, C, h, w]; share of b [1, 1, h, w].
torch::Tensor softMix(const torch::Tensor &a, const torch::Tensor &b, const torch::Tensor &share, double exponent)
{
    constexpr double kLeastLength = 1e-5;
    const auto length = [](const torch::Tensor &x) { return x.norm(2, {1}, /*keepdim=*/true).to(torch::kDouble); };
    const torch::Tensor mixed = a * (1 - share) + b * share;
    const torch::Tensor wanted =
        (length(a).pow(exponent) * (1 - share) + length(b).pow(exponent) * share).pow(1 / exponent);
    return mixed * (wanted / (length(mixed) + kLeastLength)).to(mixed.scalar_type());
}

sampling::UniPcVariant uniPcVariantOf(const std::string &name)
{
    if (name == "bh2") return sampling::UniPcVariant::Bh2;
    return name == "vary_coeff" ? sampling::UniPcVariant::VaryCoeff : sampling::UniPcVariant::Bh1;
}

sampling::UniPcSkip uniPcSkipOf(const std::string &name)
{
    if (name == "time_quadratic") return sampling::UniPcSkip::TimeQuadratic;
    return name == "logSNR" ? sampling::UniPcSkip::LogSnr : sampling::UniPcSkip::TimeUniform;
}

sampling::DiscreteSchedule levelsOf(const Checkpoint &checkpoint, const SamplerSettings &settings)
{
    sampling::DiscreteSchedule levels = checkpoint.levels();
    if (settings.halfLevels) levels = levels.inHalfPrecision();
    return settings.zeroTerminalSnr ? levels.withZeroTerminalSnr() : levels;
}

}  // namespace

sampling::PlanRequest firstPlan(const GenerationRequest &request, const CheckpointConfig &config)
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
                     .uniPcOrder = static_cast<int>(settings.uniPcOrder),
                     .uniPcVariant = uniPcVariantOf(settings.uniPcVariant),
                     .uniPcSkip = uniPcSkipOf(settings.uniPcSkip),
                     .uniPcLowerOrderFinal = settings.uniPcLowerOrderFinal};
    plan.schedules = {.sigmaMin = settings.sigmaMin,
                      .sigmaMax = settings.sigmaMax,
                      .rho = settings.rho,
                      .betaAlpha = settings.betaAlpha,
                      .betaBeta = settings.betaBeta,
                      .sdxl = config.family == BaseFamily::Sdxl};
    if (!request.start.used()) return plan;
    plan.extraNoise = request.extraNoise;
    plan.strength = request.denoisingStrength;
    plan.exactSteps = request.start.exactSteps;
    return plan;
}

sampling::PlanRequest hiresPlan(const GenerationRequest &request, const CheckpointConfig &config)
{
    const HiresPass &hires = request.hires;
    sampling::PlanRequest plan = firstPlan(request, config);
    plan.sampler = hires.sampler;
    plan.schedule = hires.schedule;
    plan.steps = static_cast<int>(hires.steps);
    plan.strength = request.denoisingStrength;
    plan.exactSteps = true;
    plan.extraNoise = request.extraNoise;
    return plan;
}

std::int64_t callsOf(const std::string &sampler, std::int64_t steps)
{
    return steps * (findSampler(sampler)->secondOrder ? 2 : 1);
}

SamplingPass::SamplingPass(Checkpoint &checkpoint, const sampling::PlanRequest &request,
                           const SamplerSettings &settings)
    : m_checkpoint(checkpoint), m_levels(levelsOf(checkpoint, settings)), m_plan(request, m_levels)
{
}

sampling::GuidedModel SamplingPass::makeModel(sampling::Guidance guidance) const
{
    const sampling::NoiseNetwork network = [this](const torch::Tensor &x, const torch::Tensor &timesteps,
                                                  const sampling::Conditioning &told) {
        return m_checkpoint.predict(x, timesteps, told);
    };
    if (m_concat.defined()) {
        const bool edits = m_checkpoint.config.imageInput == ImageInput::Edit && m_imageScale != 1;
        if (edits) addPictureAlone(guidance, m_imageScale);
        addConcat(guidance.wanted, m_concat);
        addConcat(guidance.unwanted, edits ? torch::zeros_like(m_concat) : m_concat);
    }
    return {network, m_levels, m_checkpoint.config.prediction, std::move(guidance), m_checkpoint.dtype};
}

void SamplingPass::setRefiner(Checkpoint &refiner, const Refiner &how, const SamplerSettings &settings)
{
    m_refiner = &refiner;
    m_refinerLevels = levelsOf(refiner, settings);
    m_handover = how;
}

sampling::GuidedModel SamplingPass::makeRefiner(sampling::Guidance guidance) const
{
    const sampling::NoiseNetwork network = [this](const torch::Tensor &x, const torch::Tensor &timesteps,
                                                  const sampling::Conditioning &told) {
        return m_refiner->predict(x, timesteps, told);
    };
    return {network, *m_refinerLevels, m_refiner->config.prediction, std::move(guidance), m_refiner->dtype};
}

/// The model until enough of the levels or of all its calls are behind it, then the refiner; never back, as in A1111.
/// Calls go on counting.
sampling::Denoiser SamplingPass::handedOver(const sampling::GuidedModel &model, const sampling::GuidedModel &refiner,
                                            std::int64_t calls, bool &switched) const
{
    const auto last = static_cast<float>(m_levels.size() - 1);
    const auto behind = [this, last, calls, &model](float t) {
        if (!m_handover.bySteps) return (last - t) / (last + 1) >= static_cast<float>(m_handover.switchAt);
        return static_cast<double>(model.calls()) / static_cast<double>(calls) >= m_handover.switchAt;
    };
    const auto at = [&switched, behind, &model, &refiner](float t) -> const sampling::GuidedModel & {
        if (!switched && behind(t)) {
            switched = true;
            refiner.setCalls(model.calls());
        }
        return switched ? refiner : model;
    };
    sampling::Denoiser made;
    made.x0 = [this, at](const torch::Tensor &x, float sigma) { return at(m_levels.nearest(sigma)).x0(x, sigma); };
    made.eps = [at](const torch::Tensor &x, float t) { return at(t).eps(x, t); };
    made.epsPair = [at](const torch::Tensor &x, float t, double share) { return at(t).epsPair(x, t, share); };
    return made;
}

/// The denoiser; where nothing is to be redrawn, it sees the start.
sampling::Denoiser SamplingPass::masked(const sampling::Denoiser &plain, const Start &start) const
{
    if (!start.redraw.defined()) return plain;
    const auto keep = [this, start](const torch::Tensor &x, float level) { return kept(start, x, level); };
    sampling::Denoiser made = plain;
    if (m_plan.walksSigmas()) {
        made.x0 = [plain, keep](const torch::Tensor &x, float sigma) { return keep(plain.x0(x, sigma), sigma); };
        made.kept = keep;
        return made;
    }
    // Here it is the network's input that keeps the unmasked part, without noise; its output is not touched.
    made.eps = [plain, keep](const torch::Tensor &x, float t) { return plain.eps(keep(x, t), t); };
    made.epsPair = [plain, keep](const torch::Tensor &x, float t, double share) {
        return plain.epsPair(keep(x, t), t, share);
    };
    return made;
}

/// The start's latents where nothing is drawn. Softly they give way as noise goes: the level is what the sampler walks,
/// sigmas or timesteps, as in A1111.
torch::Tensor SamplingPass::kept(const Start &start, const torch::Tensor &x, float level) const
{
    if (!start.soft) return x * start.redraw + start.latent * (1 - start.redraw);
    const double weight = std::pow(double{level}, start.soft->scheduleBias) * start.soft->preservationStrength;
    const torch::Tensor drawn = start.redraw.pow(weight);
    return softMix(start.latent, x, drawn, start.soft->contrastBoost);
}

torch::Tensor SamplingPass::noiseOf(const torch::Tensor &latent, sampling::Guidance guidance,
                                    const AlternativeNoise &search, const sampling::SamplerContext &context) const
{
    const sampling::GuidedModel model = makeModel(std::move(guidance));
    std::vector<float> sigmas = sampling::sigmasFor("uniform", static_cast<int>(search.steps), m_levels);
    std::reverse(sigmas.begin(), sigmas.end());
    torch::Tensor x = latent;
    for (std::size_t i = 1; i < sigmas.size(); ++i) {
        if (context.stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
        const float level = search.sigmaAdjustment ? sigmas[i - 1] : sigmas[i];
        torch::Tensor denoised = x;  // without noise there is nothing to take away
        if (level > 0) {
            denoised = model.x0(x, level);
            x = x + (x - denoised) / level * (sigmas[i] - sigmas[i - 1]);
        }
        if (context.observer)
            context.observer({static_cast<int>(i) - 1, static_cast<int>(sigmas.size()) - 1, level, denoised, x});
    }
    if (search.sigmaAdjustment) return x / sigmas.back();
    return x / x.std({1, 2, 3}, /*unbiased=*/true, /*keepdim=*/true);
}

torch::Tensor SamplingPass::replacing(const torch::Tensor &found, const torch::Tensor &drawn,
                                      const torch::Tensor &latent, double randomness) const
{
    const double own = 1 - randomness;
    const double spread = std::sqrt(randomness * randomness + own * own);
    return (found * own + drawn * randomness) / spread - latent / m_levels.sigmaMax();
}

torch::Tensor SamplingPass::run(sampling::Guidance guidance, sampling::Guidance refined, const torch::Tensor &noise,
                                const Start &start, const sampling::SamplerContext &context,
                                const PassState *from) const
{
    if (m_plan.keepsStart()) return start.latent;
    bool switched = from && from->refined;
    const std::int64_t calls = std::max<std::int64_t>(guidance.options.calls, 1);
    const sampling::GuidedModel model = makeModel(std::move(guidance));
    std::optional<sampling::GuidedModel> refiner;
    if (m_refiner) refiner.emplace(makeRefiner(std::move(refined)));
    if (from) model.setCalls(from->calls);
    if (from && refiner) refiner->setCalls(from->refinerCalls);
    const sampling::Denoiser plain = refiner ? handedOver(model, *refiner, calls, switched) : model.denoiser();
    try {
        const torch::Tensor made =
            sampling::runSampler(m_plan.sampler(), from ? from->sampler.clone() : m_plan.begin(noise, start.latent),
                                 masked(plain, start), context);
        if (!start.redraw.defined() || start.soft) return made;
        return made * start.redraw + start.latent * (1 - start.redraw);
    } catch (sampling::RunLeft &left) {
        throw PassLeft{{std::move(left.state), model.calls(), refiner ? refiner->calls() : 0, switched}};
    }
}

}  // namespace sg
