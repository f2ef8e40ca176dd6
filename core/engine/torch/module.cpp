// The module's one door: what core/engine/backend_module.h looks for. Without torch's headers.
#include "core/engine/torch/make_backend.h"

extern "C" __attribute__((visibility("default"))) sg::engine::Backend *
serigraphMakeBackend(const sg::engine::BackendOptions &options, sg::Error &error)
{
    return sg::engine::makeTorchBackend(options, error);
}
