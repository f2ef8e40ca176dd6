#include "core/diffusion/pipeline/prompt_guidance.h"

#include "core/diffusion/pipeline/vector_conditioning.h"
#include "core/text/prompt_plan.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace sg {
namespace {

// A1111's defaults for the refiner.
constexpr double kWantedScore = 6;
constexpr double kUnwantedScore = 2.5;

TextOptions textOptions(const GenerationRequest &request)
{
    return {emphasisFromName(request.emphasis), static_cast<std::size_t>(request.commaBacktrack), request.clipSkip};
}

class WordsMaker {
public:
    WordsMaker(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request, const Dress &dress)
        : m_checkpoint(checkpoint), m_conditioner(conditioner), m_options(textOptions(request)), m_dress(dress)
    {
    }

    std::vector<sampling::Words::Part> make(const Expected<PromptPlan> &plan, bool wanted)
    {
        if (!plan) throw Failure{plan.error()};
        std::vector<sampling::Words::Part> parts;
        for (const PromptPlan::Part &part : plan->parts)
            parts.push_back({part.weight, told(part.schedule, wanted)});
        return parts;
    }

    const std::map<std::string, std::string> &embeddings() const { return m_embeddings; }

private:
    std::function<sampling::Conditioning(std::int64_t)> told(const PromptSchedule &schedule, bool wanted)
    {
        const auto embedding = m_conditioner.embed(m_checkpoint, schedule, m_options);
        for (const std::size_t number : embedding->embeddings()) {
            const adapters::WantedEmbedding &named = m_conditioner.embeddings().embedding(number);
            m_embeddings.emplace(named.name, named.hash);
        }
        // Text encoders that go meanwhile are not brought back in the middle of the steps.
        if (m_checkpoint.before)
            for (std::size_t text = 0; text < schedule.texts.size(); ++text)
                (void)embedding->of(text);
        const auto made = std::make_shared<std::vector<sampling::Conditioning>>(schedule.texts.size());
        return [embedding, made, wanted, dress = m_dress](std::int64_t call) {
            const std::size_t text = embedding->schedule().textAt(call);
            sampling::Conditioning &known = (*made)[text];
            if (!known.context.defined()) known = dress(embedding->of(text), wanted);
            return known;
        };
    }

    Checkpoint &m_checkpoint;
    Conditioner &m_conditioner;
    TextOptions m_options;
    const Dress &m_dress;
    std::map<std::string, std::string> m_embeddings;
};

}  // namespace

Dress dressFor(const Checkpoint &checkpoint, std::int64_t width, std::int64_t height)
{
    return [&checkpoint, width, height](const PromptEmbedding &prompt, bool wanted) {
        const bool zero = !wanted && prompt.empty && checkpoint.config.emptyNegativeIsZero;
        sampling::Conditioning told{zero ? torch::zeros_like(prompt.context) : prompt.context, {}, {}};
        if (!prompt.pooled.defined()) return told;
        const torch::Tensor pooled = zero ? torch::zeros_like(prompt.pooled) : prompt.pooled;
        const PictureSizes sizes{height, width, 0, 0, height, width, wanted ? kWantedScore : kUnwantedScore};
        told.vector = vectorConditioning(checkpoint.config, pooled, sizes, checkpoint.dtype);
        return told;
    };
}

PromptGuidance promptGuidance(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                              const std::vector<PromptPair> &pictures, ScheduleSteps steps, const Dress &dress)
{
    steps.oldTimelines = request.sampling.oldTimelines;
    sampling::Guidance guidance;
    guidance.scale = request.cfgScale;
    sampling::GuidanceOptions &options = guidance.options;
    options.calls = steps.hiresSteps > 0 ? steps.hiresSteps : steps.steps;
    options.rescale = request.cfgRescale;
    options.from = request.guidanceStart;
    options.until = request.guidanceEnd;
    options.skipEarly = request.skipEarlyCfg;
    options.sMinUncond = request.sMinUncond;
    options.everyCall = request.sMinUncondAll;
    if (request.padCondUncond) options.empty = conditioner.embed(checkpoint, "", textOptions(request)).context;
    const bool same =
        std::all_of(pictures.begin(), pictures.end(), [&](const auto &one) { return one == pictures[0]; });
    WordsMaker maker(checkpoint, conditioner, request, dress);
    for (std::size_t i = 0; i < (same ? 1 : pictures.size()); ++i) {
        guidance.wanted.pictures.push_back(maker.make(planPrompt(pictures[i].prompt, steps), /*wanted=*/true));
        guidance.unwanted.pictures.push_back(
            maker.make(planNegativePrompt(pictures[i].negative, steps), /*wanted=*/false));
    }
    return {std::move(guidance), maker.embeddings()};
}

}  // namespace sg
