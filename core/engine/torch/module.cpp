// The module's one door: what core/engine/backend_module.h looks for.
#include "core/engine/torch/torch_session.h"

extern "C" __attribute__((visibility("default"))) sg::engine::Backend *
serigraphMakeBackend(const sg::engine::BackendOptions &options, sg::Error &error)
{
    try {
        return new sg::engine::TorchSession(options);
    } catch (...) {
        error = sg::engine::currentError();
        return nullptr;
    }
}
