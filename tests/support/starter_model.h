#pragma once

#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "tests/support/check.h"

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace sg::test {

inline const char *const kStarter = SG_SOURCE_DIR "/resources/starter/starter.safetensors";

/// The starter model, loaded once.
inline Checkpoint &starter()
{
    static const std::shared_ptr<Checkpoint> checkpoint = loadCheckpoint(kStarter, torch::kCPU, torch::kFloat);
    return *checkpoint;
}

/// Keeps all that a task says; asks for a stop after `cancelAt` steps.
class Collector final : public GenerationSink {
public:
    void progress(const StepProgress &progress) override
    {
        steps.push_back(progress);
        if (cancelAt > 0 && static_cast<int>(steps.size()) == cancelAt) stop.request_stop();
    }
    bool previewDue() override { return wantsPreviews; }
    void preview(std::int64_t, std::int64_t, Image picture) override { previews.push_back(std::move(picture)); }
    void warning(std::string text) override { warnings.push_back(std::move(text)); }
    void fact(std::string key, std::string value) override { facts[key] = value; }
    void image(std::int64_t index, Image picture) override
    {
        CHECK(index == static_cast<std::int64_t>(images.size()));
        images.push_back(std::move(picture));
        if (afterImage) afterImage();
    }

    std::function<void()> afterImage;
    std::vector<StepProgress> steps;
    std::vector<Image> images, previews;
    std::vector<std::string> warnings;
    std::map<std::string, std::string> facts;
    bool wantsPreviews = false;
    int cancelAt = 0;
    std::stop_source stop;
};

}  // namespace sg::test
