#pragma once

#include "core/base/expected.h"
#include "core/params/param_table.h"
#include "ui/client/api_types.h"

#include <QNetworkAccessManager>
#include <QNetworkRequest>
#include <QObject>
#include <QUrl>

#include <functional>
#include <vector>

namespace sg::ui {

/// The window's only way to the services: a client of the HTTP API, local or remote (docs/api.md).
/// Thread  main; replies come in the main thread and never when `context` has gone. Big answers are parsed in the
/// thread pool. Errors  what the server said, or Unavailable when it did not answer.
class ApiClient final : public QObject {
    Q_OBJECT
public:
    template <class T>
    using Reply = std::function<void(Expected<T>)>;

    ApiClient(QUrl base, QString token, QObject *parent = nullptr);

    /// With the path prefix that it was given, without a slash at its end.
    const QUrl &base() const { return m_base; }
    /// The address of an endpoint: "/models", "/logs?after=1"; percent-encoded where a name needs it.
    QUrl url(const QString &path) const;

    void models(QObject *context, Reply<std::vector<ModelInfo>> reply);
    void parameters(QObject *context, Reply<ParamTable> reply);
    void submit(const Json &parameters, QObject *context, Reply<Submitted> reply);
    void progress(const QString &task, QObject *context, Reply<TaskProgressInfo> reply);
    void result(const QString &task, QObject *context, Reply<TaskResult> reply);
    void cancel(const QString &task, QObject *context, Reply<Json> reply);
    void picture(const QString &link, QObject *context, Reply<Picture> reply);
    void folders(QObject *context, Reply<FolderState> reply);
    void addFolder(const QString &path, QObject *context, Reply<Json> reply);
    void removeFolder(const QString &path, QObject *context, Reply<Json> reply);
    void chooseForModel(const QString &name, const Json &choices, QObject *context, Reply<Json> reply);
    void rescan(QObject *context, Reply<Json> reply);
    void server(QObject *context, Reply<ServerState> reply);
    void changeServer(const Json &changes, QObject *context, Reply<ServerState> reply);
    void logs(std::uint64_t after, QObject *context, Reply<std::vector<LogEntry>> reply);
    /// Ok when the server can compute; else Unavailable with the reason.
    void ready(QObject *context, Reply<Json> reply);

    /// The raw stream of /tasks/{id}/events; the caller reads and deletes it.
    QNetworkReply *openEvents(const QString &task);

private:
    using RawReply = std::function<void(Expected<QByteArray>)>;
    QNetworkRequest request(const QUrl &url) const;
    void send(const QByteArray &method, const QUrl &url, const Json *body, QObject *context, RawReply reply);
    template <class T>
    void call(const QByteArray &method, const QString &path, const Json *body, QObject *context,
              Expected<T> (*decode)(const Json &), Reply<T> reply);

    QUrl m_base;
    QString m_token;
    QNetworkAccessManager m_network;
};

}  // namespace sg::ui
