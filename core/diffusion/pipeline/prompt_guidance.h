#pragma once

#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/sampling/guided_model.h"
#include "core/params/generation_request.h"
#include "core/text/prompt_schedule.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sg {

/// What the network is told besides a prompt's rows (sizes, pictures), given the prompt and whether it is the wanted
/// one.
using Dress = std::function<sampling::Conditioning(const PromptEmbedding &prompt, bool wanted)>;

/// That of a network when it draws a picture of this size; the checkpoint must outlive it.
Dress dressFor(const Checkpoint &checkpoint, std::int64_t width, std::int64_t height);

struct PromptGuidance {
    sampling::Guidance guidance;
    std::map<std::string, std::string> embeddings;  ///< hashes of the textual inversions that the prompts name
};

/// How a batch is guided: the request's prompts, planned for `steps` calls of the network, and its options of guidance.
/// One list of words when all `pictures` ask for the same, else one for each. Nothing is encoded before it is needed;
/// checkpoint and conditioner must outlive the result. Errors  throws Failure: those of planPrompt and Conditioner.
PromptGuidance promptGuidance(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                              const std::vector<PromptPair> &pictures, ScheduleSteps steps, const Dress &dress);

}  // namespace sg
