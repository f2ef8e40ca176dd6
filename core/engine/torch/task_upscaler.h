#pragma once

#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/pipeline/memory_plan.h"
#include "core/engine/backend.h"
#include "core/imaging/upscale_tiles.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace sg::engine {

/// What makes a task's pictures larger, hires fix's or start pictures: a filter, or the network of a file, which lives
/// as long as the task. Thread  the one that computes.
class TaskUpscaler {
public:
    /// What is asked of the network of a file.
    struct Network {
        UpscalerConfig config;
        std::uint64_t weightBytes = 0;
        std::function<Image(const Image &tile, const std::stop_token &stop)> enlarge;
    };
    using Open = std::function<Network(const std::string &path)>;

    /// Opens a file, where one is named. Errors  throws Failure InvalidArgument for a name that nothing has and for
    /// pictures that would become too large, its subject the field; and what `open` throws.
    TaskUpscaler(const ModelRef &model, const GenerationRequest &request, const Open &open);

    /// Whether a network or a filter of its own is wanted for start pictures.
    bool forStart() const { return m_request.start.used() && (m_network || m_name == "Nearest"); }
    /// Nothing for a filter. The sizes are those of the largest pictures of the task.
    const std::optional<PlannedUpscaler> &planned() const { return m_planned; }
    std::uint64_t weightBytes() const { return m_network ? m_network->weightBytes : 0; }
    /// Tiles as the plan has them; what differs from the request is said.
    void fit(const MemoryPlan &plan, GenerationSink &sink);
    /// Of which enlarge() tells.
    std::int64_t parts(int width, int height, int toWidth, int toHeight) const;
    std::int64_t hiresParts() const;
    /// Errors  throws Failure Cancelled before the next tile, and what the network throws.
    Image enlarge(const Image &rgb, int width, int height, const std::function<void()> &partDone,
                  const std::stop_token &stop) const;

private:
    const GenerationRequest &m_request;
    std::string m_name, m_field;
    std::optional<Network> m_network;  // none for filters
    imaging::UpscaleTiles m_tiles;
    std::optional<PlannedUpscaler> m_planned;
};

}  // namespace sg::engine
