#include "ui/client/api_client.h"

#include "ui/client/api_decode.h"
#include "ui/client/background.h"
#include "ui/client/picture_decode.h"

#include <QHostAddress>
#include <QNetworkProxy>
#include <QNetworkReply>
#include <QUrlQuery>

#include <utility>

namespace sg::ui {
namespace {

using namespace Qt::Literals::StringLiterals;

constexpr int kTransferTimeoutMs = 30'000;
constexpr qsizetype kParseHere = 16 * 1024;  // below this a thread switch costs more than the parsing

Expected<Json> asIs(const Json &json)
{
    return json;
}

template <class T>
Expected<T> parsed(const QByteArray &bytes, Expected<T> (*decode)(const Json &))
{
    const Expected<Json> json = parseJson({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    if (!json) return fail(ErrorCode::Internal, "the server's answer is not JSON: " + json.error().message);
    return decode(*json);
}

bool isLoopback(const QUrl &url)
{
    return url.host() == u"localhost"_s || QHostAddress(url.host()).isLoopback();
}

Error networkError(const QNetworkReply &reply, const QByteArray &body)
{
    const int status = reply.attribute(QNetworkRequest::HttpStatusCodeAttribute).toInt();
    if (status != 0) return decodeError(body, status);
    return {ErrorCode::Unavailable, reply.errorString().toStdString(), {}};
}

/// As every path here: already percent-encoded where a name needs it.
QString taskPath(const QString &task, const QString &what)
{
    return u"/tasks/%1/%2"_s.arg(QString::fromLatin1(QUrl::toPercentEncoding(task)), what);
}

}  // namespace

ApiClient::ApiClient(QUrl base, QString token, QObject *parent)
    : QObject(parent), m_base(base.adjusted(QUrl::RemoveQuery | QUrl::RemoveFragment | QUrl::StripTrailingSlash)),
      m_token(std::move(token))
{
    if (m_base.path() == u"/"_s) m_base.setPath({});
    if (isLoopback(m_base)) m_network.setProxy(QNetworkProxy(QNetworkProxy::NoProxy));
    m_network.setAutoDeleteReplies(false);
}

QUrl ApiClient::url(const QString &path) const
{
    QUrl url = m_base;
    const qsizetype question = path.indexOf(u'?');
    const QString full = m_base.path(QUrl::FullyEncoded) + (question < 0 ? path : path.left(question));
    url.setPath(full, QUrl::TolerantMode);  // the default would encode what is encoded already
    url.setQuery(question < 0 ? QString() : path.mid(question + 1));
    return url;
}

QNetworkRequest ApiClient::request(const QUrl &url) const
{
    QNetworkRequest request(url);
    request.setTransferTimeout(kTransferTimeoutMs);
    request.setAttribute(QNetworkRequest::RedirectPolicyAttribute, QNetworkRequest::ManualRedirectPolicy);
    const bool own = url.host() == m_base.host() && url.port() == m_base.port() && url.scheme() == m_base.scheme();
    if (own && !m_token.isEmpty()) request.setRawHeader("Authorization", "Bearer " + m_token.toUtf8());
    return request;
}

void ApiClient::send(const QByteArray &method, const QUrl &url, const Json *body, QObject *context, RawReply reply)
{
    QNetworkRequest wanted = request(url);
    QByteArray bytes;
    if (body) {
        bytes = QByteArray::fromStdString(dumpJson(*body));
        wanted.setHeader(QNetworkRequest::ContentTypeHeader, u"application/json"_s);
        wanted.setRawHeader("Request-Type", "async");
    }
    QNetworkReply *answer =
        method == "GET" ? m_network.get(wanted) : m_network.sendCustomRequest(wanted, method, bytes);
    connect(answer, &QNetworkReply::finished, this,
            [answer, guard = QPointer<QObject>(context), reply = std::move(reply)] {
                answer->deleteLater();
                if (!guard) return;
                QByteArray content = answer->readAll();
                if (answer->error() == QNetworkReply::NoError)
                    reply(std::move(content));
                else
                    reply(Unexpected{networkError(*answer, content)});
            });
}

template <class T>
void ApiClient::call(const QByteArray &method, const QString &path, const Json *body, QObject *context,
                     Expected<T> (*decode)(const Json &), Reply<T> reply)
{
    send(method, url(path), body, context, [context, decode, reply = std::move(reply)](Expected<QByteArray> bytes) {
        if (!bytes)
            reply(Unexpected{bytes.error()});
        else if (bytes->size() < kParseHere)
            reply(parsed(*bytes, decode));
        else
            inBackground(
                context, [content = *bytes, decode] { return parsed(content, decode); }, reply);
    });
}

void ApiClient::models(QObject *context, Reply<std::vector<ModelInfo>> reply)
{
    call("GET", u"/models"_s, nullptr, context, &decodeModels, std::move(reply));
}

void ApiClient::parameters(QObject *context, Reply<ParamTable> reply)
{
    call("GET", u"/parameters"_s, nullptr, context, &decodeParameters, std::move(reply));
}

void ApiClient::submit(const Json &parameters, QObject *context, Reply<Submitted> reply)
{
    const QString path = parameters.contains("init_images") ? u"/img2img"_s : u"/txt2img"_s;
    call("POST", path, &parameters, context, &decodeSubmitted, std::move(reply));
}

void ApiClient::progress(const QString &task, QObject *context, Reply<TaskProgressInfo> reply)
{
    call("GET", taskPath(task, u"progress"_s), nullptr, context, &decodeProgress, std::move(reply));
}

void ApiClient::result(const QString &task, QObject *context, Reply<TaskResult> reply)
{
    call("GET", taskPath(task, u"result"_s), nullptr, context, &decodeResult, std::move(reply));
}

void ApiClient::cancel(const QString &task, QObject *context, Reply<Json> reply)
{
    const Json body = Json::object();
    call("POST", taskPath(task, u"cancellation"_s), &body, context, &asIs, std::move(reply));
}

void ApiClient::picture(const QString &link, QObject *context, Reply<Picture> reply)
{
    // A link without a host is the server's own, below the prefix that it is reached by.
    const QUrl target = link.startsWith(u'/') ? url(link) : m_base.resolved(QUrl(link));
    send("GET", target, nullptr, context, [context, reply = std::move(reply)](Expected<QByteArray> bytes) {
        if (!bytes) return reply(Unexpected{bytes.error()});
        inBackground(
            context, [file = std::move(*bytes)] { return readPicture(file); },
            [reply](Picture picture) {
                if (!picture.image.isNull()) return reply(std::move(picture));
                reply(fail(ErrorCode::UnusableFile, "the server's picture cannot be read"));
            });
    });
}

void ApiClient::folders(QObject *context, Reply<FolderState> reply)
{
    call("GET", u"/model-folders"_s, nullptr, context, &decodeFolders, std::move(reply));
}

void ApiClient::addFolder(const QString &path, QObject *context, Reply<Json> reply)
{
    const Json body{{"path", path.toStdString()}};
    call("POST", u"/model-folders"_s, &body, context, &asIs, std::move(reply));
}

void ApiClient::removeFolder(const QString &path, QObject *context, Reply<Json> reply)
{
    const Json body{{"path", path.toStdString()}};
    call("DELETE", u"/model-folders"_s, &body, context, &asIs, std::move(reply));
}

void ApiClient::chooseForModel(const QString &name, const Json &choices, QObject *context, Reply<Json> reply)
{
    const Json body{{"name", name.toStdString()}, {"choices", choices}};
    call("PATCH", u"/models"_s, &body, context, &asIs, std::move(reply));
}

void ApiClient::rescan(QObject *context, Reply<Json> reply)
{
    const Json body = Json::object();
    call("POST", u"/models/rescan"_s, &body, context, &asIs, std::move(reply));
}

void ApiClient::server(QObject *context, Reply<ServerState> reply)
{
    call("GET", u"/server"_s, nullptr, context, &decodeServer, std::move(reply));
}

void ApiClient::changeServer(const Json &changes, QObject *context, Reply<ServerState> reply)
{
    call("PATCH", u"/server"_s, &changes, context, &decodeServer, std::move(reply));
}

void ApiClient::logs(std::uint64_t after, QObject *context, Reply<std::vector<LogEntry>> reply)
{
    call("GET", u"/logs?after=%1&limit=1000"_s.arg(after), nullptr, context, &decodeLogs, std::move(reply));
}

void ApiClient::ready(QObject *context, Reply<Json> reply)
{
    call("GET", u"/readyz"_s, nullptr, context, &asIs, std::move(reply));
}

QNetworkReply *ApiClient::openEvents(const QString &task)
{
    QNetworkRequest wanted = request(url(taskPath(task, u"events"_s)));
    wanted.setTransferTimeout(0);
    wanted.setRawHeader("Accept", "text/event-stream");
    wanted.setAttribute(QNetworkRequest::CacheLoadControlAttribute, QNetworkRequest::AlwaysNetwork);
    return m_network.get(wanted);
}

}  // namespace sg::ui
