#include "core/server/http/http_server.h"

#include <QtHttpServer/QHttpServerRequest>

namespace sg::http {

HttpServer::HttpServer(Handler handler, QObject *parent) : QAbstractHttpServer(parent), m_handler(std::move(handler)) {}

bool HttpServer::handleRequest(const QHttpServerRequest &request, QTcpSocket *socket)
{
    auto *connection = socket->findChild<HttpConnection *>(QString(), Qt::FindDirectChildrenOnly);
    const QByteArray body = request.body();
    // Two parsers must not disagree about where the body ends.
    if (!connection || static_cast<std::uint64_t>(body.size()) != connection->request().head.contentLength) return true;
    connection->setBody(body.toStdString());
    m_handler(*connection);
    return true;
}

void HttpServer::missingHandler(const QHttpServerRequest &, QTcpSocket *) {}

}  // namespace sg::http
