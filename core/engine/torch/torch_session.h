#pragma once

#include "core/diffusion/pipeline/kept_latents.h"
#include "core/engine/backend.h"
#include "core/engine/backend_module.h"
#include "core/engine/torch/model_store.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sg::engine {

class TaskUpscaler;

/// The backend that computes. The one place where what torch and core/diffusion throw becomes a value.
class TorchSession final : public Backend {
public:
    /// Errors  throws Failure EngineFailed when the device cannot be used.
    explicit TorchSession(const BackendOptions &options);

    Expected<LoadReport> load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop) override;
    Expected<std::unique_ptr<ParkedRun>> generate(const ModelRef &model, const GenerationRequest &request,
                                                  GenerationSink &sink, std::stop_token stop,
                                                  const ParkedRun *from = nullptr) override;
    Expected<MemoryPlan> plan(const ModelRef &model, const GenerationRequest &request) override;
    void unload(const std::optional<std::string> &path) override;
    void setBudget(std::uint64_t bytes) override { m_store.setBudget(bytes); }
    std::uint64_t budget() const override { return m_store.budget(); }
    void idle() override { m_store.giveBackMemory(); }
    std::vector<ResidentModel> residentModels() const override { return m_store.residents(); }

private:
    MemoryPlan planOf(const ModelRef &model, const GenerationRequest &request, const TaskUpscaler &upscaler);
    std::uint64_t codingRoom(const ModelStore::Use &use, const MemoryPlan &plan) const;
    std::unique_ptr<ParkedRun> draw(const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                                    const std::stop_token &stop, const ParkedRun *from);

    ModelStore m_store;
    KeptLatents m_kept;
};

/// The Error for whatever is being thrown; call it inside a catch block.
Error currentError();

}  // namespace sg::engine
