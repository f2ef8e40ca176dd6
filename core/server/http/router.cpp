#include "core/server/http/router.h"

#include <cassert>
#include <set>

namespace sg::http {
namespace {

std::vector<std::string> splitPath(std::string_view path)
{
    std::vector<std::string> segments;
    path.remove_prefix(1);
    while (true) {
        const std::string_view segment = path.substr(0, path.find('/'));
        segments.emplace_back(segment);
        if (segment.size() == path.size()) return segments;
        path.remove_prefix(segment.size() + 1);
    }
}

bool isName(std::string_view segment)
{
    return segment.size() > 2 && segment.front() == '{';
}

bool matches(const Route &route, const std::vector<std::string> &segments)
{
    if (route.segments.size() != segments.size()) return false;
    for (std::size_t i = 0; i < segments.size(); ++i)
        if (isName(route.segments[i]) ? segments[i].empty() : segments[i] != route.segments[i]) return false;
    return true;
}

}  // namespace

void Router::answer(std::string method, std::string path, RouteDoc doc, Answer handler)
{
    defer(std::move(method), std::move(path), std::move(doc),
          [handler = std::move(handler)](const HttpRequest &request, DeferredReply reply) {
              reply.send(handler(request));
          });
}

void Router::defer(std::string method, std::string path, RouteDoc doc, Deferred handler)
{
    Route route{std::move(method), std::move(path), std::move(doc), false, std::move(handler), {}};
    route.segments = splitPath(route.path);
    route.bodyRequired = !route.doc.body.is_null();
    m_routes.push_back(std::move(route));
}

const Route *Router::find(HttpRequest &request) const
{
    const std::string_view method = request.head.method == "HEAD" ? "GET" : std::string_view(request.head.method);
    for (const Route &route : m_routes) {
        if (route.method != method || !matches(route, request.head.segments)) continue;
        for (std::size_t i = 0; i < route.segments.size(); ++i)
            if (isName(route.segments[i]))
                request.segments[route.segments[i].substr(1, route.segments[i].size() - 2)] = request.head.segments[i];
        return &route;
    }
    return nullptr;
}

std::string Router::allowed(const HttpRequest &request) const
{
    std::set<std::string> methods;
    for (const Route &route : m_routes)
        if (matches(route, request.head.segments)) methods.insert(route.method);
    if (methods.empty()) return {};
    if (methods.contains("GET")) methods.insert("HEAD");
    methods.insert("OPTIONS");
    std::string text;
    for (const std::string &method : methods)
        text += (text.empty() ? "" : ", ") + method;
    return text;
}

}  // namespace sg::http
