#include "ui/client/task_watcher.h"

#include "ui/client/api_client.h"
#include "ui/client/api_decode.h"
#include "ui/client/background.h"
#include "ui/client/picture_decode.h"

#include <QNetworkReply>

#include <chrono>
#include <utility>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;
using namespace std::chrono_literals;

bool isFinalStatus(const QString &status)
{
    return status == u"succeeded"_s || status == u"failed"_s || status == u"cancelled"_s;
}

}  // namespace

TaskWatcher::TaskWatcher(ApiClient &client, QString task, QObject *parent)
    : QObject(parent), m_client(client), m_task(std::move(task))
{
    m_poll.setInterval(400ms);
    connect(&m_poll, &QTimer::timeout, this, &TaskWatcher::poll);
}

TaskWatcher::~TaskWatcher()
{
    if (!m_stream) return;
    m_stream->disconnect(this);
    m_stream->abort();
    m_stream->deleteLater();
}

void TaskWatcher::start()
{
    m_stream = m_client.openEvents(m_task);
    connect(m_stream, &QNetworkReply::readyRead, this, &TaskWatcher::readStream);
    connect(m_stream, &QNetworkReply::finished, this, &TaskWatcher::streamEnded);
}

void TaskWatcher::readStream()
{
    if (m_stream->attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt() != 200) return;
    for (const EventReader::Event &event : m_reader.feed(m_stream->readAll()))
        handle(event);
}

void TaskWatcher::handle(const EventReader::Event &event)
{
    const Expected<Json> json = parseJson({event.data.constData(), static_cast<std::size_t>(event.data.size())});
    if (!json || !json->is_object() || m_done) return;
    if (event.name == "preview") {
        const auto image = json->find("image");
        if (image != json->end() && image->is_string())
            showPreview(QByteArray::fromBase64(QByteArray::fromStdString(image->get<std::string>())));
        return;
    }
    const Expected<TaskProgressInfo> progress = decodeProgress(*json);
    if (!progress) return;
    if (event.name == "progress") report(*progress);
    if (isFinalStatus(progress->status)) finish(progress->status);
}

void TaskWatcher::streamEnded()
{
    if (m_stream) m_stream->deleteLater();
    if (m_done) return;
    poll();
    m_poll.start();
}

void TaskWatcher::poll()
{
    m_client.progress(m_task, this, [this](Expected<TaskProgressInfo> progress) {
        if (m_done) return;
        if (!progress) {
            // A server that restarts comes back, and the next poll finds the task; one that knows it no longer, or
            // does not tell this window any more, will not change its mind.
            if (progress.error().code == ErrorCode::NotFound || progress.error().code == ErrorCode::Forbidden)
                lose(progress.error());
            return;
        }
        report(*progress);
        if (!progress->preview.isEmpty()) showPreview(progress->preview);
        if (isFinalStatus(progress->status)) finish(progress->status);
    });
}

void TaskWatcher::report(const TaskProgressInfo &progress)
{
    Q_EMIT progressed(progress);
}

void TaskWatcher::showPreview(const QByteArray &jpeg)
{
    m_nextPreview = jpeg;
    if (m_decoding) return;
    m_decoding = true;
    inBackground(
        this, [file = std::exchange(m_nextPreview, {})] { return decodePicture(file); },
        [this](const QImage &image) {
            m_decoding = false;
            if (m_done) return;
            if (!image.isNull()) Q_EMIT previewed(image);
            if (!m_nextPreview.isEmpty()) showPreview(m_nextPreview);
        });
}

bool TaskWatcher::end()
{
    if (std::exchange(m_done, true)) return false;
    m_poll.stop();
    if (m_stream) m_stream->abort();
    return true;
}

void TaskWatcher::finish(const QString &status)
{
    if (end()) Q_EMIT finished(status);
}

void TaskWatcher::lose(const Error &error)
{
    if (end()) Q_EMIT lost(error);
}

}  // namespace sg::ui
