#pragma once

#include "core/server/http/http_limits.h"
#include "core/server/http/http_request.h"
#include "core/server/http/reply.h"

#include <QElapsedTimer>
#include <QHash>
#include <QTcpServer>
#include <QTimer>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sg::http {

class HttpConnection;

/// Stands in front of QHttpServer 6.4, which has no limits and no timeouts: a connection is given to it (bind()) only
/// when one whole request that keeps every rule has arrived, and never again after that. Thread  the server's. Source
/// ../shared/reference/reliability.md section 5; RFC 9112.
class ApiGuard final : public QTcpServer {
    Q_OBJECT
public:
    /// Looks at a request whose head is complete and whose body has not come; an answer ends it there.
    using HeadCheck = std::function<std::optional<Reply>(HttpRequest &)>;

    ApiGuard(const HttpLimits &limits, HeadCheck check, QObject *parent = nullptr);
    ~ApiGuard() override;

    /// Host values that are let through, exact, without regard to case: "127.0.0.1:8080".
    void setHosts(std::set<std::string> hosts) { m_hosts = std::move(hosts); }
    const std::set<std::string> &hosts() const { return m_hosts; }
    /// Begins signed links instead of the request's own host; empty: the request's.
    void setPublicUrl(std::string url) { m_publicUrl = std::move(url); }

    /// Stops listening; requests under way are answered 503 and get a moment to leave.
    void shutDown();

    std::uint64_t requestCount() const { return m_requests; }
    int connectionCount() const { return static_cast<int>(m_connections.size()); }
    const HttpLimits &limits() const { return m_limits; }

protected:
    void incomingConnection(qintptr handle) override;

private:
    friend class HttpConnection;

    std::optional<Reply> checkHead(HttpRequest &request);
    bool reserveBody(std::uint64_t bytes);
    void releaseBody(std::uint64_t bytes) { m_bodyBytes -= bytes; }
    void giveToServer(QTcpSocket *socket) { addPendingConnection(socket); }
    qint64 now() const { return m_clock.elapsed(); }
    void tick();
    void forget(HttpConnection *connection);

    HttpLimits m_limits;
    HeadCheck m_check;
    std::set<std::string> m_hosts;
    std::string m_publicUrl;
    std::set<HttpConnection *> m_connections;
    QHash<QHostAddress, int> m_perAddress;
    std::uint64_t m_bodyBytes = 0;
    std::atomic<std::uint64_t> m_requests = 0;
    int m_maxConnections;
    QElapsedTimer m_clock;
    QTimer m_timer;
};

}  // namespace sg::http
