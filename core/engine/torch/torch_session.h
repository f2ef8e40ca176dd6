#pragma once

#include "core/engine/backend.h"
#include "core/engine/backend_module.h"
#include "core/engine/torch/model_store.h"

namespace sg::engine {

/// The backend that computes. The one place where what torch and core/diffusion throw becomes a value.
class TorchSession final : public Backend {
public:
    /// Errors  throws Failure EngineFailed when the device cannot be used.
    explicit TorchSession(const BackendOptions &options);

    Expected<LoadReport> load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop) override;
    Expected<void> generate(const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                            std::stop_token stop) override;
    void unload(const std::optional<std::string> &path) override;
    void idle() override { m_store.giveBackMemory(); }
    std::vector<ResidentModel> residentModels() const override { return m_store.residents(); }

private:
    ModelStore m_store;
};

/// The Error for whatever is being thrown; call it inside a catch block.
Error currentError();

}  // namespace sg::engine
