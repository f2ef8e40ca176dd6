#pragma once

#include "core/engine/backend.h"

#include <chrono>
#include <mutex>

namespace sg::engine {

/// The null engine: each picture is a plain colour that depends on its seed. For tests and benchmarks of everything
/// else. A model's file is never opened.
class NullBackend final : public Backend {
public:
    explicit NullBackend(std::chrono::milliseconds step) : m_step(step) {}

    Expected<LoadReport> load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop) override;
    Expected<void> generate(const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                            std::stop_token stop) override;
    void unload(const std::optional<std::string> &path) override;
    std::vector<ResidentModel> residentModels() const override;

private:
    std::chrono::milliseconds m_step;
    mutable std::mutex m_mutex;
    std::vector<ResidentModel> m_models;
};

/// Makes the plain picture of the null engine.
Image plainPicture(std::int64_t width, std::int64_t height, std::int64_t seed);

}  // namespace sg::engine
