#include "core/server/http/api_guard.h"

#include "core/base/log.h"
#include "core/server/http/http_connection.h"

#include <QTcpSocket>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace sg::http {
namespace {

/// Above the cap this many more are accepted, only to be told 503.
constexpr int kRefusedAtOnce = 32;

/// Files that are not connections: database, models, pipes.
constexpr rlim_t kOtherFiles = 100;

int connectionCap(int wanted)
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
    const rlim_t room =
        limit.rlim_cur > kOtherFiles + kRefusedAtOnce ? limit.rlim_cur - kOtherFiles - kRefusedAtOnce : 1;
    return static_cast<int>(std::min<rlim_t>(static_cast<rlim_t>(wanted), room));
}

}  // namespace

ApiGuard::ApiGuard(const HttpLimits &limits, HeadCheck check, QObject *parent)
    : QTcpServer(parent), m_limits(limits), m_check(std::move(check)),
      m_maxConnections(connectionCap(limits.connections))
{
    setListenBacklogSize(1024);
    m_clock.start();
    m_timer.setInterval(limits.tickMs);
    connect(&m_timer, &QTimer::timeout, this, &ApiGuard::tick);
    m_timer.start();
}

ApiGuard::~ApiGuard()
{
    // Sockets are children; each takes its connection along, which calls forget().
    const std::set<HttpConnection *> left = m_connections;
    for (HttpConnection *connection : left)
        delete connection->parent();
}

void ApiGuard::incomingConnection(qintptr handle)
{
    if (connectionCount() >= m_maxConnections + kRefusedAtOnce) {
        ::close(static_cast<int>(handle));
        return;
    }
    auto *socket = new QTcpSocket(this);
    if (!socket->setSocketDescriptor(handle)) {
        ::close(static_cast<int>(handle));
        delete socket;
        return;
    }
    const QHostAddress peer = socket->peerAddress();
    auto *connection = new HttpConnection(socket, *this);
    m_connections.insert(connection);
    const int fromThere = ++m_perAddress[peer];
    if (connectionCount() > m_maxConnections)
        connection->refuse(503, "too many connections");
    else if (fromThere > m_limits.connectionsPerAddress && !peer.isLoopback())
        connection->refuse(503, "too many connections from this address");
}

void ApiGuard::forget(HttpConnection *connection)
{
    m_connections.erase(connection);
    const QHostAddress &peer = connection->peer();
    if (--m_perAddress[peer] <= 0) m_perAddress.remove(peer);
}

std::optional<Reply> ApiGuard::checkHead(HttpRequest &request)
{
    ++m_requests;
    const std::string host = lowerCase(*request.head.field("host"));
    if (!m_hosts.contains(host)) return refusalReply(403, "this Host is not served here", request.requestId);
    request.baseUrl = m_publicUrl.empty() ? "http://" + host : m_publicUrl;
    return m_check ? m_check(request) : std::nullopt;
}

bool ApiGuard::reserveBody(std::uint64_t bytes)
{
    if (bytes > m_limits.bodiesBytes - std::min(m_bodyBytes, m_limits.bodiesBytes)) return false;
    m_bodyBytes += bytes;
    return true;
}

void ApiGuard::tick()
{
    const qint64 time = now();
    const std::set<HttpConnection *> all =
        m_connections;  // a timeout may end others' life no sooner than the event loop
    for (HttpConnection *connection : all)
        connection->checkTimeouts(time);
}

void ApiGuard::shutDown()
{
    close();
    const std::set<HttpConnection *> all = m_connections;
    for (HttpConnection *connection : all) {
        if (connection->waitsForHandler())
            connection->refuse(503, "the server is stopping; an accepted task goes on at the next start");
        else if (!connection->answered())
            connection->abort();
        else
            connection->endEvents();
    }
}

}  // namespace sg::http
