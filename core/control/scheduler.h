#pragma once

#include "core/control/agent.h"
#include "core/control/progress_board.h"
#include "core/control/task_queue.h"
#include "core/storage/object_store.h"

#include <QObject>
#include <QString>
#include <QTimer>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sg {

class ModelLibrary;
struct ModelRecord;

/// Takes the tasks in the order in which they came, one at a time, through the engine to their stored result.
/// Order of a success: each picture safe in the object store, then one commit with the result row, then taskChanged().
/// Thread  the io thread.
class Scheduler final : public QObject {
    Q_OBJECT
public:
    struct Parts {
        TaskQueue &queue;
        WaitingList &waiting;
        ProgressBoard &board;
        ObjectStore &objects;
        ModelLibrary &library;
        const ParamTable &table;
    };
    using Reply = std::function<void(Expected<TaskRecord>)>;

    Scheduler(Parts parts, AgentConfig agent, int maxAttempts, QObject *parent = nullptr);
    ~Scheduler() override;

    void start();
    /// The running task goes back to waiting (or is cancelled, when that was asked for), then the engine ends.
    void stop();
    /// Something may be startable now.
    void wake();
    /// Replies when the task has ended.
    void cancel(const std::string &id, Reply reply);
    bool ready() const { return m_agent.ready(); }

Q_SIGNALS:
    void readyChanged(bool ready);
    void taskChanged(const QString &id, int state);
    void progressChanged(const QString &id);

private:
    /// How a run ended; kept until the database has it.
    struct Outcome {
        TaskState state = TaskState::Failed;  ///< Waiting: try again
        Error error;
        bool charged = false;
    };
    struct Run {
        TaskRecord task;
        std::string id;
        std::vector<std::optional<TaskImage>> images;
        std::vector<std::string> warnings = {};
        bool cancelRequested = false;
        std::optional<Outcome> outcome;
    };
    struct Waiter {
        std::string id;
        Reply reply;
    };

    Expected<std::optional<ModelRecord>> resolveModel(const TaskRecord &task);
    Expected<std::vector<AgentPicture>> readInputs(const TaskRecord &task) const;
    using OtherModels = std::map<std::string, ModelRecord>;
    Expected<std::optional<ModelRecord>> findCheckpoint(const std::string &name, const char *row) const;
    Expected<std::optional<OtherModels>> otherModels(const TaskRecord &task) const;
    std::vector<std::string> wantedNext();
    void begin(const TaskRecord &task, const ModelRecord &model, const OtherModels &others);
    void refuse(const TaskRecord &task, const Error &error);
    void storeImage(const Frame &frame);
    void runFinished();
    void runRefused(const Error &error);
    void runDied(const Error &error, bool taken);
    void conclude(Outcome outcome);
    void commitOutcome();
    void announce(const TaskRecord &task);
    void removeImages(const TaskRecord &task);
    void retryIn(int ms);
    void noteModels(const std::vector<std::string> &paths);
    void noteProgress();
    bool isCurrent(const std::string &run) const { return m_run && m_run->id == run && !m_run->outcome; }

    Parts m_parts;
    Agent m_agent;
    int m_maxAttempts;
    std::optional<Run> m_run;
    std::vector<Waiter> m_waiters;
    std::set<std::string> m_loaded;
    QTimer m_retry;
    QTimer m_progress;
    std::int64_t m_startedMs = 0;
    std::int64_t m_hashWaitMs = 0;
    std::string m_hashWaitFor;
    std::string m_lastTrouble;
    std::string m_notTaken;  ///< the task whose run an engine has not taken: that was free once
    unsigned m_runs = 0;
    bool m_stopping = true;
};

}  // namespace sg
