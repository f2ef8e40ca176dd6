#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/params/param_table.h"

namespace sg::server {

/// The always-on scripts of A1111 1.10 that are parts of its form, "Refiner", "Sampler" and "Seed", as their rows:
/// what alwayson_scripts has of them is checked and taken out of the body, and fills the rows that the body does not
/// send (A1111's API reads these rows from the body alone). Arguments left out stay the rows' defaults, what is too
/// many is left.
/// Errors  InvalidArgument, subject alwayson_scripts; the message begins with the place, as
/// alwayson_scripts.Refiner.args[2].
Expected<void> readBuiltinScripts(Json &fields, const ParamTable &rows);

}  // namespace sg::server
