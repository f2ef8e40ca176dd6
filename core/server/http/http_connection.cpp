#include "core/server/http/http_connection.h"

#include "core/base/ids.h"
#include "core/server/http/api_guard.h"

#include <QDateTime>
#include <QLocale>

#include <sys/socket.h>

#include <algorithm>

namespace sg::http {
namespace {

/// "Sun, 22 Nov 2026 20:17:38 GMT"
std::string httpDate()
{
    return QLocale::c()
               .toString(QDateTime::currentDateTimeUtc(), QStringLiteral("ddd, dd MMM yyyy HH:mm:ss"))
               .toStdString() +
           " GMT";
}

/// Nothing that a user wrote may end a line of the answer's head.
bool isFieldValue(std::string_view value)
{
    return std::all_of(value.begin(), value.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

HttpConnection::HttpConnection(QTcpSocket *socket, ApiGuard &guard)
    : QObject(socket), m_socket(socket), m_guard(guard), m_peer(socket->peerAddress()), m_started(guard.now()),
      m_lastByte(m_started)
{
    m_request.requestId = randomId(12);
    m_request.peer = m_peer.toString().toStdString();
    wire();
}

HttpConnection::~HttpConnection()
{
    releaseBody();
    m_guard.forget(this);
}

void HttpConnection::releaseBody()
{
    m_guard.releaseBody(m_reserved);
    m_reserved = 0;
}

void HttpConnection::wire()
{
    connect(m_socket, &QTcpSocket::readyRead, this, &HttpConnection::onReadyRead);
    connect(m_socket, &QTcpSocket::bytesWritten, this, [this] {
        m_lastByte = m_guard.now();
        pump();
    });
    connect(m_socket, &QTcpSocket::disconnected, m_socket, &QObject::deleteLater);
}

void HttpConnection::onReadyRead()
{
    if (m_handing) return;
    m_lastByte = m_state <= State::Body ? m_guard.now() : m_lastByte;
    if (m_state == State::Head)
        readHeadBytes();
    else if (m_state == State::Body)
        readBodyBytes();
    else
        m_socket->skip(m_socket->bytesAvailable());  // what comes after a request is never looked at
}

void HttpConnection::readHeadBytes()
{
    const QByteArray bytes = m_socket->peek(static_cast<qint64>(m_guard.limits().headBytes) + 1);
    auto result = readHead({bytes.constData(), static_cast<std::size_t>(bytes.size())}, m_scanned, m_guard.limits());
    if (std::holds_alternative<NeedMore>(result)) return;
    if (const auto *refusal = std::get_if<Refusal>(&result)) return refuse(refusal->status, refusal->message);
    m_request.head = std::move(std::get<RequestHead>(result));
    headComplete();
}

void HttpConnection::headComplete()
{
    if (std::optional<Reply> reply = m_guard.checkHead(m_request)) return send(std::move(*reply));
    const std::uint64_t length = m_request.head.contentLength;
    if (!m_guard.reserveBody(length)) return refuse(503, "too many large requests at once");
    m_reserved = length;
    m_state = State::Body;
    m_started = m_guard.now();
    const bool bodyStarted = static_cast<std::uint64_t>(m_socket->bytesAvailable()) > m_request.head.bytes;
    if (m_request.head.expectContinue && length > 0 && !bodyStarted) m_socket->write("HTTP/1.1 100 Continue\r\n\r\n");
    readBodyBytes();
}

void HttpConnection::readBodyBytes()
{
    const std::uint64_t whole = m_request.head.bytes + m_request.head.contentLength;
    m_seen = static_cast<std::uint64_t>(m_socket->bytesAvailable());
    if (m_seen > whole) return refuse(400, "bytes follow the request; one connection carries one request");
    if (m_seen == whole) handOver();
}

void HttpConnection::handOver()
{
    m_unread = false;
    m_state = State::Handed;
    m_handing = true;
    m_guard.giveToServer(m_socket);
    Q_EMIT m_socket->readyRead();  // QHttpServer reads the whole request now and calls the handler
    m_handing = false;
    // From here on QHttpServer is out: a second request on this connection must never reach its parser.
    // (Where its parser refused the request, it has cut our connections as well.)
    disconnect(m_socket, &QTcpSocket::readyRead, nullptr, nullptr);
    disconnect(m_socket, nullptr, this, nullptr);
    wire();
    releaseBody();
    if (!m_dispatched) refuse(400, "the request is not valid");
}

void HttpConnection::setBody(std::string body)
{
    m_request.body = std::move(body);
    m_dispatched = true;
}

void HttpConnection::refuse(int status, std::string_view message)
{
    send(refusalReply(status, message, m_request.requestId));
}

std::string HttpConnection::headText(const Reply &reply, bool withLength) const
{
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string(reasonPhrase(reply.status)) +
                       "\r\nDate: " + httpDate();
    if (!reply.contentType.empty()) text += "\r\nContent-Type: " + reply.contentType;
    if (withLength && reply.status != 204) text += "\r\nContent-Length: " + std::to_string(reply.body.size());
    text += "\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src "
            "'none'\r\nCache-Control: " +
            reply.cacheControl + "\r\nX-Request-Id: " + m_request.requestId;
    for (const auto &[name, value] : reply.fields)
        if (isFieldValue(value)) text += "\r\n" + name + ": " + value;
    return text + "\r\n\r\n";
}

void HttpConnection::send(Reply reply)
{
    if (answered()) return;
    std::string bytes = headText(reply, true);
    if (m_request.head.method != "HEAD") bytes += reply.body;
    startWriting(State::Sending, std::move(bytes));
}

void HttpConnection::startWriting(State state, std::string bytes)
{
    m_state = state;
    m_out = std::move(bytes);
    m_outStart = 0;
    m_lastByte = m_guard.now();
    if (m_unread) {
        m_socket->skip(m_socket->bytesAvailable());
        releaseBody();
    }
    pump();
}

void HttpConnection::beginEvents()
{
    if (answered()) return;
    Reply reply;
    reply.contentType = "text/event-stream";
    startWriting(State::Events, headText(reply, false));
    if (m_request.head.method == "HEAD") endEvents();
}

void HttpConnection::sendEvent(std::string_view bytes, bool mayDrop)
{
    if (m_state != State::Events || m_ending) return;
    const std::size_t waiting = m_out.size() - m_outStart + static_cast<std::size_t>(m_socket->bytesToWrite());
    const HttpLimits &limits = m_guard.limits();
    if (mayDrop && waiting > 0 && waiting + bytes.size() > limits.eventBytes) return;
    if (waiting > 2 * limits.eventBytes) return abort();
    m_out.append(bytes);
    pump();
}

void HttpConnection::endEvents()
{
    if (m_state != State::Events) return;
    m_ending = true;
    pump();
}

void HttpConnection::pump()
{
    if (m_state != State::Sending && m_state != State::Events) return;
    const auto room = static_cast<qint64>(m_guard.limits().queuedBytes);
    while (m_outStart < m_out.size() && m_socket->bytesToWrite() < room) {
        const auto slice =
            std::min<qint64>(room - m_socket->bytesToWrite(), static_cast<qint64>(m_out.size() - m_outStart));
        const qint64 taken = m_socket->write(m_out.data() + m_outStart, slice);
        if (taken <= 0) return abort();
        m_outStart += static_cast<std::size_t>(taken);
    }
    if (m_outStart < m_out.size()) return;
    m_out.clear();
    m_outStart = 0;
    const bool complete = m_state == State::Sending || m_ending;
    if (complete && (!m_unread || m_socket->bytesToWrite() == 0)) finish();
}

void HttpConnection::finish()
{
    m_state = State::Lingering;
    m_started = m_guard.now();
    if (!m_unread) return m_socket->disconnectFromHost();
    // Closing with unread bytes would reset the connection and could take the answer from the client: first say that no
    // more comes.
    ::shutdown(static_cast<int>(m_socket->socketDescriptor()), SHUT_WR);
}

void HttpConnection::abort()
{
    m_state = State::Lingering;
    m_socket->abort();  // emits disconnected, which deletes the socket later, and this with it
}

void HttpConnection::checkTimeouts(qint64 now)
{
    const HttpLimits &limits = m_guard.limits();
    switch (m_state) {
    case State::Head:
    case State::Body:
        return timeoutWhileReading(now);
    case State::Handed:
        return;
    case State::Events:
        if (m_out.empty() && m_socket->bytesToWrite() == 0) {
            if (now - m_lastByte > limits.keepAliveMs) sendEvent(": still here\n\n", false);
            return;
        }
        [[fallthrough]];
    case State::Sending:
        if (now - m_lastByte > limits.writeStallMs) abort();
        return;
    case State::Lingering:
        if (m_unread ? now - m_started > limits.lingerMs : now - std::max(m_started, m_lastByte) > limits.writeStallMs)
            abort();
        return;
    }
}

void HttpConnection::timeoutWhileReading(qint64 now)
{
    const HttpLimits &limits = m_guard.limits();
    const qint64 spent = now - m_started;
    if (m_state == State::Head && spent > limits.headMs) {
        // A silent connection is only closed: browsers open such ahead of need.
        if (m_socket->bytesAvailable() == 0) return abort();
        return refuse(408, "the request's head did not come in time");
    }
    if (now - m_lastByte > limits.idleMs) return refuse(408, "no byte came for too long");
    if (m_state == State::Body && spent > limits.bodyGraceMs &&
        m_seen * 1000 < static_cast<std::uint64_t>(spent) * static_cast<std::uint64_t>(limits.bodyRate))
        refuse(408, "the body came too slowly");
}

}  // namespace sg::http
