#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/params/generation_request.h"

#include <stop_token>

namespace sg {

/// Draws all pictures of a task and hands each to the sink as soon as it is decoded.
/// Errors  throws Failure: Cancelled at the next step or picture after `stop`; NonFinite when the latents or a picture
/// are not numbers;
///         InvalidArgument for names that are unknown and sizes that the checkpoint cannot draw; those of Conditioner.
/// Thread  the one that loaded the checkpoint, under torch::InferenceMode.
void textToImage(Checkpoint &checkpoint, Conditioner &conditioner, const GenerationRequest &request,
                 GenerationSink &sink, std::stop_token stop);

}  // namespace sg
