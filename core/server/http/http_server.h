#pragma once

#include "core/server/http/http_connection.h"

#include <QtHttpServer/QAbstractHttpServer>

#include <functional>

namespace sg::http {

/// QtHttpServer 6.4 behind the guard: it parses what the guard has let through and calls `handler`; the answer goes
/// through the connection, never through QtHttpServer's responder. The one file that changes with Qt's version. Thread
/// the server's.
class HttpServer final : public QAbstractHttpServer {
    Q_OBJECT
public:
    using Handler = std::function<void(HttpConnection &)>;

    explicit HttpServer(Handler handler, QObject *parent = nullptr);

protected:
    bool handleRequest(const QHttpServerRequest &request, QTcpSocket *socket) override;
    void missingHandler(const QHttpServerRequest &request, QTcpSocket *socket) override;

private:
    Handler m_handler;
};

}  // namespace sg::http
