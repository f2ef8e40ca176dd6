#pragma once

#include "core/base/error.h"
#include "ui/client/api_types.h"
#include "ui/client/event_reader.h"

#include <QImage>
#include <QObject>
#include <QPointer>
#include <QTimer>

class QNetworkReply;

namespace sg::ui {

class ApiClient;

/// Follows one task to its end: by its event stream, and by polling its progress where the stream breaks or is refused.
/// Previews are decoded in the thread pool, the latest only: a slow window drops frames.
class TaskWatcher final : public QObject {
    Q_OBJECT
public:
    TaskWatcher(ApiClient &client, QString task, QObject *parent = nullptr);
    ~TaskWatcher() override;

    const QString &task() const { return m_task; }
    void start();

Q_SIGNALS:
    void progressed(const sg::ui::TaskProgressInfo &progress);
    void previewed(const QImage &preview);
    void finished(const QString &status);  ///< succeeded, failed or cancelled; once
    void lost(const sg::Error &error);     ///< instead of finished: the server knows nothing of the task, or says so

private:
    void readStream();
    void handle(const EventReader::Event &event);
    void streamEnded();
    void poll();
    void report(const TaskProgressInfo &progress);
    void showPreview(const QByteArray &jpeg);
    bool end();
    void finish(const QString &status);
    void lose(const Error &error);

    ApiClient &m_client;
    QString m_task;
    QPointer<QNetworkReply> m_stream;
    EventReader m_reader;
    QTimer m_poll;
    QByteArray m_nextPreview;
    bool m_decoding = false;
    bool m_done = false;
};

}  // namespace sg::ui
