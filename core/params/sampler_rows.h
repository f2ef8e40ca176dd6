#pragma once

#include "core/params/param_spec.h"

#include <vector>

namespace sg {

/// The rows of everything that decides how noise is drawn and taken away, beyond sampler, schedule, steps, eta and
/// seeds. Keys are A1111's: of its request body, or of its options, which clients send in override_settings.
std::vector<ParamSpec> samplerRows();

}  // namespace sg
