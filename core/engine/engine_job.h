#pragma once

#include "core/engine/backend.h"
#include "core/engine/messages.h"
#include "core/engine/task_sink.h"

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace sg::engine {

/// A request that takes time: it waits, runs in the computing thread, and may be left and go on.
struct EngineJob {
    enum class Kind { Load, Generate, Plan, Unload };
    Kind kind = Kind::Load;
    std::string id;
    ModelRef model = {};
    GenerateMessage message = {};
    std::optional<std::string> path = {};  ///< of unload
    std::stop_source stop = {};
    std::atomic<bool> pause = false;  ///< it is to be left at the next step boundary
    // While it is left:
    std::unique_ptr<TaskSink> sink = {};  ///< refers to `message` and `pause`, so a job stays where it was made
    std::unique_ptr<ParkedRun> parked = {};
};

}  // namespace sg::engine
