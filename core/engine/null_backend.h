#pragma once

#include "core/engine/backend.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

namespace sg::engine {

/// The null engine: each picture is a plain colour that depends on its seed. For tests and benchmarks of everything
/// else. A model's file is never opened.
class NullBackend final : public Backend {
public:
    explicit NullBackend(std::chrono::milliseconds step, std::uint64_t budget = 0) : m_step(step), m_budget(budget) {}

    Expected<LoadReport> load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop) override;
    Expected<std::unique_ptr<ParkedRun>> generate(const ModelRef &model, const GenerationRequest &request,
                                                  GenerationSink &sink, std::stop_token stop,
                                                  const ParkedRun *from = nullptr) override;
    Expected<MemoryPlan> plan(const ModelRef &, const GenerationRequest &) override { return MemoryPlan{}; }
    void unload(const std::optional<std::string> &path) override;
    void setBudget(std::uint64_t bytes) override { m_budget = bytes; }
    std::uint64_t budget() const override { return m_budget; }
    std::vector<ResidentModel> residentModels() const override;

private:
    std::chrono::milliseconds m_step;
    std::atomic<std::uint64_t> m_budget;
    mutable std::mutex m_mutex;
    std::vector<ResidentModel> m_models;
};

/// Makes the plain picture of the null engine.
Image plainPicture(std::int64_t width, std::int64_t height, std::int64_t seed);

}  // namespace sg::engine
