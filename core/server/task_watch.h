#pragma once

#include "core/control/task.h"
#include "core/server/http/deferred_reply.h"

#include <QObject>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sg {

class TaskService;

namespace server {

/// Who waits for which task: synchronous requests for its end, event streams for every change.
/// Thread  the server's; made there, so that the service's signals arrive there in order.
class TaskWatch final : public QObject {
    Q_OBJECT
public:
    using Ended = std::function<void(const Expected<TaskRecord> &)>;

    explicit TaskWatch(TaskService &tasks, QObject *parent = nullptr);

    /// Calls `ended` once, when the task is final (now, if it is). A client that leaves does not stop the task.
    void whenEnded(const TaskRecord &task, Ended ended);

    /// Answers with server-sent events until the task is final (docs/api.md).
    void stream(const TaskRecord &task, http::DeferredReply reply);

private:
    struct Stream {
        http::DeferredReply reply;
        std::uint64_t lastPreview = 0;
    };

    void onTaskChanged(const QString &id, int state);
    void onProgress(const QString &id);

    TaskService &m_tasks;
    std::multimap<std::string, Ended> m_waiting;
    std::map<std::string, std::vector<Stream>> m_streams;
};

/// The body of GET /tasks/{id}/progress; `preview` as base64 only when asked for.
Json progressJson(const std::string &id, const TaskProgress &progress, bool withPreview);

/// What is known of a task that is not in memory any more.
TaskProgress progressOfStored(const TaskRecord &task);

std::string toBase64(std::string_view bytes);

}  // namespace server
}  // namespace sg
