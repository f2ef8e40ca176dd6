#pragma once

#include "core/control/task.h"

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace sg {

/// Where the running task stands and how the last ones ended; memory only. A preview replaces the one before it.
/// Thread  all functions may be called from any thread.
class ProgressBoard {
public:
    void start(const std::string &id, int images);
    /// Back in the queue, or never started.
    void drop(const std::string &id);
    void end(const std::string &id, TaskState state);
    /// A progress event of the engine (docs/protocol.md).
    void advance(const std::string &id, const Json &event);
    /// A loading event of the engine.
    void load(const std::string &id, const Json &event);
    void preview(const std::string &id, std::string jpeg);

    std::optional<TaskProgress> find(const std::string &id) const;
    std::string running() const;

private:
    static constexpr std::size_t kKeptEnded = 1000;

    mutable std::mutex m_mutex;
    std::string m_running;
    std::unordered_map<std::string, TaskProgress> m_tasks;
    std::deque<std::string> m_ended;  ///< oldest first
};

}  // namespace sg
