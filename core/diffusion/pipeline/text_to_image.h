#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/pipeline/prepared_start.h"
#include "core/diffusion/pipeline/sampling_pass.h"
#include "core/diffusion/pipeline/start_latent.h"
#include "core/diffusion/sampling/noise_source.h"
#include "core/params/generation_request.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace sg {

/// A checkpoint, and what prompts are for it.
struct TaskModel {
    Checkpoint &checkpoint;
    Conditioner &conditioner;
};

/// The checkpoints of a task. Those that the request does not ask for are not used.
struct TaskModels {
    TaskModel base;
    std::optional<TaskModel> hires = {};    ///< draws hires fix's second pass and decodes it
    std::optional<TaskModel> refiner = {};  ///< takes over late in the last pass
};

/// A task that was left at a step boundary: all that it needs to go on, as values. As large as a few latents.
struct ParkedTask {
    std::int64_t iteration = 0;
    bool larger = false;  ///< in hires fix's pass
    StartLatent start;
    PassState pass;
    sampling::NoiseSource noise;

    std::uint64_t bytes() const;
};

/// Draws all pictures of a task and hands each to the sink as soon as it is decoded: from noise, or from `start` when
/// it has pictures, and with hires fix a second time larger. Errors  throws Failure: Cancelled at the next step or
/// picture after `stop`; NonFinite when the latents or a picture are not numbers; InvalidArgument for names that are
/// unknown, sizes that the checkpoint cannot draw and checkpoints with other latents; those of Conditioner. Thread  the
/// one that loaded the checkpoint, under torch::InferenceMode.
/// Returns null when all is drawn; where the sink wanted a pause, what is left. Given that again as `from`, with the
/// same request and networks, it goes on and draws the same pictures as without a pause.
std::unique_ptr<ParkedTask> drawPictures(const TaskModels &models, const GenerationRequest &request,
                                         const PreparedStart &start, const TaskTools &tools, GenerationSink &sink,
                                         std::stop_token stop, const ParkedTask *from = nullptr);

/// The same for a task without pictures of its own, and without a pause.
void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop);

}  // namespace sg
