#pragma once

#include "core/diffusion/pipeline/generation_sink.h"
#include "core/params/generation_request.h"

#include <functional>

namespace sg::engine {

/// Draws one picture of a request without loops, and hands it to the sink, finished.
using DrawOne = std::function<void(const GenerationRequest &request, GenerationSink &sink)>;

/// Loopback: each picture is the next one's start, with the next seed and the next strength; colours are corrected to
/// the first start's, and after the first loop the masked part begins with what it has. The sink gets every loop's
/// picture, or, where the loops are repeated, the last of each repetition; its progress counts all loops.
/// Source  A1111's script "Loopback", behaviour. Errors  throws what `draw` throws.
void drawLoops(const GenerationRequest &request, GenerationSink &sink, const DrawOne &draw);

}  // namespace sg::engine
