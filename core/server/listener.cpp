#include "core/server/listener.h"

#include "core/base/log.h"
#include "core/server/webui_errors.h"

#include <QHostInfo>
#include <QNetworkInterface>

namespace sg::server {
namespace {

using http::HttpRequest;
using http::Reply;

bool isWebui(const HttpRequest &request)
{
    return request.head.target.starts_with("/sdapi/");
}

Reply refusal(const HttpRequest &request, int status, const std::string &message)
{
    return isWebui(request) ? webuiRefusal(status, message) : http::refusalReply(status, message, request.requestId);
}

/// Looks at every byte whatever the first difference is.
bool sameSecret(std::string_view a, std::string_view b)
{
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return difference == 0;
}

bool isJson(std::string_view contentType)
{
    std::string_view type = contentType.substr(0, contentType.find(';'));
    while (!type.empty() && type.back() == ' ')
        type.remove_suffix(1);
    return http::lowerCase(type) == "application/json";
}

std::string bracketed(const QHostAddress &address)
{
    QHostAddress plain = address;
    plain.setScopeId({});
    const std::string text = plain.toString().toStdString();
    return address.protocol() == QAbstractSocket::IPv6Protocol ? "[" + text + "]" : text;
}

/// The Host values under which this listener can be reached.
std::set<std::string> hostNames(const QHostAddress &address, const Listener::Place &place, std::uint16_t port)
{
    std::set<std::string> names{"127.0.0.1", "localhost", "[::1]"};
    const bool any =
        address == QHostAddress::Any || address == QHostAddress::AnyIPv4 || address == QHostAddress::AnyIPv6;
    if (!any) names.insert(bracketed(address));
    if (any) {
        for (const QHostAddress &own : QNetworkInterface::allAddresses())
            names.insert(bracketed(own));
        names.insert(QHostInfo::localHostName().toStdString());
    }
    std::set<std::string> hosts;
    for (const std::string &name : names) {
        hosts.insert(http::lowerCase(name) + ":" + std::to_string(port));
        if (port == 80) hosts.insert(http::lowerCase(name));
    }
    for (const std::string &host : place.allowedHosts) {
        hosts.insert(http::lowerCase(host));
        hosts.insert(http::lowerCase(host) + ":" + std::to_string(port));
    }
    if (const std::size_t at = place.publicUrl.find("://"); at != std::string::npos)
        hosts.insert(http::lowerCase(place.publicUrl.substr(at + 3, place.publicUrl.find('/', at + 3) - at - 3)));
    return hosts;
}

}  // namespace

Listener::Listener(const http::Router &router, const http::HttpLimits &limits, std::string token, QObject *parent)
    : QObject(parent), m_router(router), m_token(std::move(token)),
      m_server(new http::HttpServer([this](http::HttpConnection &connection) { handle(connection); }, this)),
      m_guard(new http::ApiGuard(
          limits, [this](HttpRequest &request) { return check(request); }, this))
{
}

Expected<void> Listener::listen(const Place &place)
{
    const QString text = QString::fromStdString(place.address == "localhost" ? "127.0.0.1" : place.address);
    const QHostAddress address(text);
    if (address.isNull())
        return fail(ErrorCode::InvalidArgument, "\"" + place.address + "\" is not an IP address", "address");
    if (!address.isLoopback() && !place.allowRemote)
        return fail(
            ErrorCode::Forbidden,
            "listening on " + place.address +
                " needs --allow-remote: there is no login yet, so whoever reaches that address can use the server",
            "address");
    m_guard->close();
    if (!m_guard->listen(address, place.port))
        return fail(ErrorCode::Unavailable,
                    "cannot listen on " + place.address + " port " + std::to_string(place.port) + ": " +
                        m_guard->errorString().toStdString(),
                    "port");
    if (!m_bound) m_server->bind(m_guard);
    m_bound = true;
    m_guard->setHosts(hostNames(address, place, m_guard->serverPort()));
    m_guard->setPublicUrl(place.publicUrl);
    m_publicUrl = place.publicUrl;
    // What is shown and printed must be reachable: "any address" is none.
    const bool any4 = address == QHostAddress::Any || address == QHostAddress::AnyIPv4;
    m_address = bracketed(any4                               ? QHostAddress(QHostAddress::LocalHost)
                          : address == QHostAddress::AnyIPv6 ? QHostAddress(QHostAddress::LocalHostIPv6)
                                                             : address);
    return {};
}

std::string Listener::url() const
{
    return isListening() ? "http://" + m_address + ":" + std::to_string(port()) : std::string();
}

std::optional<Reply> Listener::check(HttpRequest &request) const
{
    const http::Route *route = request.head.target == "*" ? nullptr : m_router.find(request);
    const bool open = route && route->doc.openToAll;
    if (!m_token.empty() && !open && !sameSecret(request.head.field("authorization").value_or(""), "Bearer " + m_token))
        return refusal(request, 401, "the token is missing or wrong");
    if (request.head.target == "*") {
        Reply reply = Reply::empty(204);
        reply.fields.emplace_back("Allow", "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
        return reply;
    }
    if (route) return checkRoute(request, *route);
    const std::string allowed = m_router.allowed(request);
    if (allowed.empty()) return refusal(request, 404, "there is nothing here");
    Reply reply = request.head.method == "OPTIONS"
                      ? Reply::empty(204)
                      : refusal(request, 405, "this path does not take " + request.head.method);
    reply.fields.emplace_back("Allow", allowed);
    return reply;
}

std::optional<Reply> Listener::checkRoute(HttpRequest &request, const http::Route &route) const
{
    if (request.isRead()) return std::nullopt;
    if (!originIsOurs(request)) return refusal(request, 403, "a page of another origin may not change anything here");
    if (route.doc.ownerOnly && m_token.empty())
        return refusal(request, 403, "only the desktop of this machine may do this");
    const auto type = request.head.field("content-type");
    if (request.head.contentLength > 0 && !(type && isJson(*type)))
        return refusal(request, 415, "the body must be application/json");
    if (route.bodyRequired && !request.head.hasContentLength) return refusal(request, 411, "Content-Length is missing");
    return std::nullopt;
}

bool Listener::originIsOurs(const HttpRequest &request) const
{
    if (request.head.field("sec-fetch-site").value_or("") == "cross-site") return false;
    const auto origin = request.head.field("origin");
    if (!origin) return true;
    const std::string text = http::lowerCase(*origin);
    if (!m_publicUrl.empty() && text == http::lowerCase(m_publicUrl)) return true;
    return text.starts_with("http://") && m_guard->hosts().contains(text.substr(7));
}

void Listener::handle(http::HttpConnection &connection) const
{
    HttpRequest &request = connection.request();
    const http::DeferredReply reply(&connection, isWebui(request) ? webuiErrorReply : http::errorReply);
    const http::Route *route = m_router.find(request);  // check() has found it before
    if (!route) return reply.fail({ErrorCode::NotFound, "there is nothing here", {}});
    try {
        route->handler(request, reply);
    } catch (const std::exception &error) {  // a bug of ours must not end the process
        logError("server", request.head.method + " " + route->path + ": " + error.what());
        reply.fail({ErrorCode::Internal, "an internal error; the log has more", {}});
    }
}

}  // namespace sg::server
