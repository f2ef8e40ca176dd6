#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/pipeline/prepared_start.h"
#include "core/params/generation_request.h"

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

/// Draws all pictures of a task and hands each to the sink as soon as it is decoded: from noise, or from `start` when
/// it has pictures, and with hires fix a second time larger. Errors  throws Failure: Cancelled at the next step or
/// picture after `stop`; NonFinite when the latents or a picture are not numbers; InvalidArgument for names that are
/// unknown, sizes that the checkpoint cannot draw and checkpoints with other latents; those of Conditioner. Thread  the
/// one that loaded the checkpoint, under torch::InferenceMode.
void drawPictures(const TaskModels &models, const GenerationRequest &request, const PreparedStart &start,
                  const TaskTools &tools, GenerationSink &sink, std::stop_token stop);

/// The same for a task without pictures of its own.
void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop);

}  // namespace sg
