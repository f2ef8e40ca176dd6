#include "ui/generate/generation_queue.h"

#include "ui/client/api_client.h"
#include "ui/client/task_watcher.h"

#include <utility>

namespace sg::ui {

using namespace Qt::Literals::StringLiterals;

GenerationQueue::GenerationQueue(ApiClient &client, QObject *parent) : QObject(parent), m_client(client) {}

GenerationQueue::~GenerationQueue() = default;

void GenerationQueue::submit(const Json &parameters)
{
    ++m_submitting;
    Q_EMIT pendingChanged(pending());
    m_client.submit(parameters, this, [this](Expected<Submitted> submitted) {
        --m_submitting;
        if (submitted) {
            m_tasks.push_back(submitted->taskId);
            if (!submitted->notes.isEmpty()) Q_EMIT noted(submitted->notes);
            followNext();
        } else {
            Q_EMIT failed(submitted.error());
        }
        Q_EMIT pendingChanged(pending());
    });
}

void GenerationQueue::interrupt()
{
    if (m_tasks.empty()) return;
    m_client.cancel(m_tasks.front(), this, [this](const Expected<Json> &reply) {
        if (!reply) Q_EMIT failed(reply.error());
    });
}

void GenerationQueue::interruptAll()
{
    for (auto task = m_tasks.rbegin(); task != m_tasks.rend(); ++task)
        m_client.cancel(*task, this, [](const Expected<Json> &) {});
}

void GenerationQueue::followNext()
{
    if (m_watcher || m_tasks.empty()) return;
    m_watcher = std::make_unique<TaskWatcher>(m_client, m_tasks.front());
    connect(m_watcher.get(), &TaskWatcher::progressed, this, &GenerationQueue::progressed);
    connect(m_watcher.get(), &TaskWatcher::previewed, this, &GenerationQueue::previewed);
    // Queued: the watcher must not be destroyed inside its own signal.
    connect(m_watcher.get(), &TaskWatcher::finished, this, &GenerationQueue::taskFinished, Qt::QueuedConnection);
    connect(m_watcher.get(), &TaskWatcher::lost, this, &GenerationQueue::taskLost, Qt::QueuedConnection);
    Q_EMIT started(m_tasks.front());
    m_watcher->start();
}

QString GenerationQueue::takeFollowed()
{
    QString task = std::move(m_tasks.front());
    m_tasks.pop_front();
    m_watcher.reset();
    return task;
}

void GenerationQueue::taskLost(const Error &error)
{
    const QString task = takeFollowed();
    const QString text =
        error.code == ErrorCode::NotFound
            ? tr("The server does not know the task any more. It may have been started with another data folder.")
            : tr("The server does not tell this window of the task any more (%1).")
                  .arg(QString::fromStdString(error.message));
    Q_EMIT failed(Error{error.code, text.toStdString(), {}});
    Q_EMIT ended(task, u"failed"_s);
    followNext();
    Q_EMIT pendingChanged(pending());
}

void GenerationQueue::taskFinished(const QString &status)
{
    const QString task = takeFollowed();
    if (status == u"cancelled"_s) {
        Q_EMIT ended(task, status);
    } else {
        m_client.result(task, this, [this, task](Expected<TaskResult> result) {
            if (!result) {
                Q_EMIT failed(result.error());
            } else if (result->status == u"succeeded"_s) {
                return fetchPictures(task, result->links);
            } else if (result->status == u"failed"_s) {
                Q_EMIT failed(Error{errorFromName(result->code.toStdString()), result->message.toStdString(), {}});
            }
            Q_EMIT ended(task, result ? result->status : u"failed"_s);
        });
    }
    followNext();
    Q_EMIT pendingChanged(pending());
}

void GenerationQueue::fetchPictures(const QString &task, const QStringList &links)
{
    if (links.isEmpty()) return void(Q_EMIT ended(task, u"succeeded"_s));
    m_client.picture(links.front(), this, [this, task, rest = links.mid(1)](Expected<Picture> picture) {
        if (picture)
            Q_EMIT pictureReady(task, *picture);
        else
            Q_EMIT failed(picture.error());
        fetchPictures(task, rest);
    });
}

}  // namespace sg::ui
