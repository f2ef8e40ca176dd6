#pragma once

#include "core/base/expected.h"
#include "core/control/agent.h"
#include "core/control/task.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sg {

class ModelLibrary;

struct TaskServiceConfig {
    std::filesystem::path dataDir;        ///< serigraph.db and objects/ below it
    std::filesystem::path engineProgram;  ///< serigraph-engine
    std::vector<std::string> engineArguments;
    int maxWaiting = 10'000;
    int maxWaitingPerUser = 1'000;
    int maxAttempts = 3;
    AgentConfig agent;                                  ///< times; program and arguments come from above
    const ParamTable *table = &ParamTable::standard();  ///< whose rows are stored and sent to the engine
};

/// The durable queue and the engine behind it: TaskQueue, Scheduler, Agent and ObjectStore, wired.
/// Thread  lives in the io thread; every function may be called from any thread, and a reply comes in `context`'s
/// thread
///         (never when `context` has gone). Signals are emitted in the io thread.
class TaskService final : public QObject {
    Q_OBJECT
public:
    TaskService(TaskServiceConfig config, ModelLibrary &library, QObject *parent = nullptr);
    ~TaskService() override;

    /// Opens the database, recovers what a crash left (running -> waiting, temporary files gone), starts scheduling.
    Expected<void> start();
    /// No new tasks; a running one goes back to waiting; the engine ends. Returns within 5 s.
    void stop();

    template <class T>
    using Reply = std::function<void(Expected<T>)>;

    /// Stores the task's pictures, then the task (both safe before the reply). The same id with the same body answers
    /// the task that is there, with another body Conflict; QueueFull when the queue or the user's share is full.
    void submit(NewTask task, QObject *context, Reply<TaskRecord> reply);
    void find(const std::string &id, QObject *context, Reply<TaskRecord> reply);
    /// A waiting task ends at once, a running one at the next step; a finished one stays as it is. Replies when that
    /// has happened.
    void cancel(const std::string &id, QObject *context, Reply<TaskRecord> reply);
    /// Newest first.
    void list(int limit, int offset, QObject *context, Reply<std::vector<TaskRecord>> reply);
    /// The bytes of a stored picture ("images/<user>/<id>_1.png", "inputs/<id>/<hash>.png"). NotFound when it is not
    /// there.
    void readObject(const std::string &path, QObject *context, Reply<std::string> reply);

    /// From memory; nothing for an id that neither waits nor runs nor ended within the last minutes (then ask find()).
    std::optional<TaskProgress> progress(const std::string &id) const;
    /// The id of the task that runs now, or empty.
    std::string runningTask() const;
    int waitingCount() const;
    bool engineReady() const;
    /// Cancels what runs now (A1111's /interrupt).
    void interrupt();

Q_SIGNALS:
    void taskChanged(const QString &id, int state);  ///< after the commit; state is a TaskState
    void progressChanged(const QString &id);         ///< step, preview; at most 20 a second

private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace sg
