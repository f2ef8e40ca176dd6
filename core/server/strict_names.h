#pragma once

#include "core/base/expected.h"
#include "core/params/param_values.h"

namespace sg {

class ModelLibrary;

namespace server {

/// That the VAE and the LoRAs that a request names are there. A tag whose name is only known once a picture's variants
/// and wildcards are is not looked at.
/// Errors  NotFound, subject sd_vae, prompt or hr_prompt; InvalidArgument for a LoRA's tag with a value that is none.
Expected<void> requireNamedFiles(const ParamValues &values, const ModelLibrary &library);

}  // namespace server
}  // namespace sg
