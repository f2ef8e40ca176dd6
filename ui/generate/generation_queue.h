#pragma once

#include "core/base/error.h"
#include "core/base/json.h"
#include "ui/client/api_types.h"

#include <QImage>
#include <QObject>

#include <deque>
#include <memory>

namespace sg::ui {

class ApiClient;
class TaskWatcher;

/// The tasks that this window has started: submits them, follows the oldest one that is not finished, fetches its
/// pictures. Thread  main.
class GenerationQueue final : public QObject {
    Q_OBJECT
public:
    explicit GenerationQueue(ApiClient &client, QObject *parent = nullptr);
    ~GenerationQueue() override;

    void submit(const Json &parameters);
    /// Cancels the task that runs (or waits longest).
    void interrupt();
    void interruptAll();

    /// Submitted and not finished, the running one included.
    int pending() const { return static_cast<int>(m_tasks.size()) + m_submitting; }

Q_SIGNALS:
    void pendingChanged(int pending);
    void noted(const QStringList &notes);  ///< what the server corrected in a request
    void started(const QString &task);
    void progressed(const sg::ui::TaskProgressInfo &progress);
    void previewed(const QImage &preview);
    void pictureReady(const QString &task, const sg::ui::Picture &picture);
    void ended(const QString &task, const QString &status);
    void failed(const sg::Error &error);

private:
    void followNext();
    void taskFinished(const QString &status);
    void taskLost(const Error &error);
    QString takeFollowed();
    void fetchPictures(const QString &task, const QStringList &links);

    ApiClient &m_client;
    std::deque<QString> m_tasks;
    std::unique_ptr<TaskWatcher> m_watcher;
    int m_submitting = 0;
};

}  // namespace sg::ui
