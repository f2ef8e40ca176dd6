#include "core/server/task_watch.h"

#include "core/control/task_queue.h"
#include "core/control/task_service.h"

#include <QByteArray>

#include <algorithm>

namespace sg::server {

TaskWatch::TaskWatch(TaskService &tasks, QObject *parent) : QObject(parent), m_tasks(tasks)
{
    connect(&tasks, &TaskService::taskChanged, this, &TaskWatch::onTaskChanged);
    connect(&tasks, &TaskService::progressChanged, this, &TaskWatch::onProgress);
}

void TaskWatch::whenEnded(const TaskRecord &task, Ended ended)
{
    if (isFinal(task.state))
        ended(task);
    else
        m_waiting.emplace(task.id, std::move(ended));
}

void TaskWatch::stream(const TaskRecord &task, http::DeferredReply reply)
{
    reply.beginEvents();
    reply.event("state", {{"status", taskStateName(task.state)}}, false);
    if (isFinal(task.state)) return reply.endEvents();
    m_streams[task.id].push_back({std::move(reply), 0});
}

void TaskWatch::onTaskChanged(const QString &id, int state)
{
    const std::string key = id.toStdString();
    const auto now = static_cast<TaskState>(state);
    if (const auto it = m_streams.find(key); it != m_streams.end()) {
        for (const Stream &stream : it->second) {
            stream.reply.event("state", {{"status", taskStateName(now)}}, false);
            if (isFinal(now)) stream.reply.endEvents();
        }
        if (isFinal(now)) m_streams.erase(it);
    }
    if (!isFinal(now) || !m_waiting.contains(key)) return;
    m_tasks.find(key, this, [this, key](Expected<TaskRecord> record) {
        auto [first, last] = m_waiting.equal_range(key);
        std::vector<Ended> ended;
        for (auto it = first; it != last; ++it)
            ended.push_back(std::move(it->second));
        m_waiting.erase(first, last);
        for (const Ended &call : ended)
            call(record);
    });
}

void TaskWatch::onProgress(const QString &id)
{
    const auto it = m_streams.find(id.toStdString());
    if (it == m_streams.end()) return;
    std::erase_if(it->second, [](const Stream &stream) { return !stream.reply.connected(); });
    const std::optional<TaskProgress> progress = m_tasks.progress(it->first);
    if (!progress || isFinal(progress->state)) return;
    Json body = progressJson(it->first, *progress, false);
    body.erase("currentImage");
    std::string preview;
    for (Stream &stream : it->second) {
        stream.reply.event("progress", body, true);
        if (progress->previewNumber == stream.lastPreview || progress->preview.empty()) continue;
        stream.lastPreview = progress->previewNumber;
        if (preview.empty()) preview = toBase64(progress->preview);
        stream.reply.event("preview", {{"image", preview}}, true);
    }
}

Json progressJson(const std::string &id, const TaskProgress &progress, bool withPreview)
{
    const bool ended = isFinal(progress.state);
    const bool running = progress.state == TaskState::Running;
    const bool preview = withPreview && !progress.preview.empty();
    return {{"taskId", id},
            {"progress", ended ? 1.0 : std::clamp(progress.fraction, 0.0, 0.99)},
            {"etaRelative", ended ? 0.0 : progress.etaSeconds},
            {"currentImage", preview ? Json(toBase64(progress.preview)) : Json("")},
            {"state",
             {{"skipped", false},
              {"interrupted", progress.state == TaskState::Cancelled},
              {"job", running ? id : std::string()},
              {"job_count", ended ? 0 : progress.images},
              {"job_no", progress.image},
              {"job_timestamp", ""},
              {"sampling_step", progress.step},
              {"sampling_steps", progress.steps}}},
            {"status", taskStateName(progress.state)},
            {"rate", progress.rate},
            {"sigma", progress.sigma},
            {"position", progress.position},
            {"loading", progress.loading && running ? Json(*progress.loading) : Json()}};
}

TaskProgress progressOfStored(const TaskRecord &task)
{
    TaskProgress progress;
    progress.state = task.state;
    progress.steps = task.params.value("steps", 0);
    progress.images = imageCount(task);
    if (task.state != TaskState::Succeeded) return progress;
    progress.step = progress.steps;
    progress.image = progress.images;
    return progress;
}

std::string toBase64(std::string_view bytes)
{
    return QByteArray::fromRawData(bytes.data(), static_cast<qsizetype>(bytes.size())).toBase64().toStdString();
}

}  // namespace sg::server
