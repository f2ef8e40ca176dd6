#pragma once

#include "core/base/expected.h"
#include "core/server/http/api_guard.h"
#include "core/server/http/http_server.h"
#include "core/server/http/router.h"

#include <QHostAddress>
#include <QObject>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace sg::server {

/// One port: guard and QHttpServer, and who may do what there.
/// Thread  the server's.
class Listener final : public QObject {
    Q_OBJECT
public:
    /// With a token, every request needs it and may do everything; without, the owner's routes are closed.
    Listener(const http::Router &router, const http::HttpLimits &limits, std::string token, QObject *parent = nullptr);

    struct Place {
        std::string address = "127.0.0.1";
        std::uint16_t port = 0;
        bool allowRemote = false;
        std::string publicUrl;
        std::vector<std::string> allowedHosts;
    };
    /// Errors  InvalidArgument (no address), Forbidden (remote without allowRemote), Unavailable (cannot be had).
    Expected<void> listen(const Place &place);
    /// Connections that are open go on.
    void close() { m_guard->close(); }
    void shutDown() { m_guard->shutDown(); }

    bool isListening() const { return m_guard->isListening(); }
    std::uint16_t port() const { return m_guard->serverPort(); }
    /// "http://127.0.0.1:8080"; empty when not listening.
    std::string url() const;
    std::uint64_t requestCount() const { return m_guard->requestCount(); }
    int connectionCount() const { return m_guard->connectionCount(); }

private:
    std::optional<http::Reply> check(http::HttpRequest &request) const;
    std::optional<http::Reply> checkRoute(http::HttpRequest &request, const http::Route &route) const;
    bool originIsOurs(const http::HttpRequest &request) const;
    void handle(http::HttpConnection &connection) const;

    const http::Router &m_router;
    std::string m_token;
    http::HttpServer *m_server;
    http::ApiGuard *m_guard;
    bool m_bound = false;
    std::string m_address;
    std::string m_publicUrl;
};

}  // namespace sg::server
