#pragma once

#include "core/engine/backend_module.h"

namespace sg::engine {

/// The backend that computes with torch; null, and the error, when the device cannot be used.
Backend *makeTorchBackend(const BackendOptions &options, Error &error);

}  // namespace sg::engine
