#pragma once

#include "core/server/http/http_request.h"
#include "core/server/http/reply.h"

#include <QHostAddress>
#include <QObject>
#include <QTcpSocket>

#include <string>
#include <string_view>

namespace sg::http {

class ApiGuard;

/// One connection, which is one request: reads and checks it, hands it on when it is whole, and writes the one answer.
/// A child of its socket. Handlers reach it through DeferredReply, whose QPointer sees it go.
/// Thread  the server's.
class HttpConnection final : public QObject {
    Q_OBJECT
public:
    HttpConnection(QTcpSocket *socket, ApiGuard &guard);
    ~HttpConnection() override;

    HttpRequest &request() { return m_request; }
    const QHostAddress &peer() const { return m_peer; }

    /// QHttpServer has read the request: the handler's turn.
    void setBody(std::string body);

    /// Sends the answer and closes. Only the first call counts.
    void send(Reply reply);
    void refuse(int status, std::string_view message);

    /// Opens an event stream: the head goes out, the connection stays.
    void beginEvents();
    /// Queues one event. One that may be dropped is dropped when the client reads too slowly.
    void sendEvent(std::string_view bytes, bool mayDrop);
    void endEvents();

    /// Called every tick with the guard's clock: culls what is too slow.
    void checkTimeouts(qint64 now);

    /// Whether an answer has been begun, or none is wanted any more.
    bool answered() const { return m_state > State::Handed; }
    bool waitsForHandler() const { return m_state == State::Handed; }
    void abort();

private:
    enum class State { Head, Body, Handed, Sending, Events, Lingering };

    void wire();
    void onReadyRead();
    void readHeadBytes();
    void headComplete();
    void readBodyBytes();
    void handOver();
    void releaseBody();
    void timeoutWhileReading(qint64 now);
    void pump();
    void finish();
    void startWriting(State state, std::string bytes);
    std::string headText(const Reply &reply, bool withLength) const;

    QTcpSocket *m_socket;
    ApiGuard &m_guard;
    QHostAddress m_peer;
    HttpRequest m_request;
    State m_state = State::Head;
    bool m_handing = false;     ///< inside handOver: QHttpServer reads now
    bool m_dispatched = false;  ///< QHttpServer has called the handler
    bool m_unread = true;       ///< the client may still be sending: linger before closing
    bool m_ending = false;      ///< no more events come
    std::size_t m_scanned = 0;
    std::uint64_t m_reserved = 0;
    std::string m_out;  ///< of the answer, what the socket has not taken yet
    std::size_t m_outStart = 0;
    qint64 m_started = 0;      ///< connection, then body, then lingering
    qint64 m_lastByte = 0;     ///< read or written, as the state says
    std::uint64_t m_seen = 0;  ///< bytes available when last looked
};

}  // namespace sg::http
