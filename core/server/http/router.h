#pragma once

#include "core/server/http/deferred_reply.h"

#include <functional>
#include <string>
#include <vector>

namespace sg::http {

/// What the OpenAPI document says about a route; registered with the route, so that the two cannot drift.
struct RouteDoc {
    std::string summary = {};
    std::string tag = {};
    Json parameters = Json::array();  ///< OpenAPI parameter objects: query and header (those of the path are made)
    Json body = nullptr;                        ///< schema of the JSON body, or null
    Json answer = nullptr;                      ///< schema of the 200 answer, or null
    std::string answerType = "application/json";
    bool ownerOnly = false;  ///< answered only on the window's own listener
    bool openToAll = false;  ///< needs no token on that listener (signed links)
};

struct Route {
    std::string method;
    std::string path;  ///< "/tasks/{id}/result"; a {name} matches one segment
    RouteDoc doc;
    bool bodyRequired = false;
    std::function<void(const HttpRequest &, DeferredReply)> handler;
    std::vector<std::string> segments;
};

/// The route table: finds the handler, answers OPTIONS and HEAD, 404 and 405.
/// Thread  filled before the first request; then constant.
class Router {
public:
    using Answer = std::function<Expected<Reply>(const HttpRequest &)>;
    using Deferred = std::function<void(const HttpRequest &, DeferredReply)>;

    /// A handler that answers at once (within milliseconds).
    void answer(std::string method, std::string path, RouteDoc doc, Answer handler);
    /// A handler that answers when it can.
    void defer(std::string method, std::string path, RouteDoc doc, Deferred handler);

    /// The route of a request (HEAD is GET), with its {names} put into request.segments.
    const Route *find(HttpRequest &request) const;
    /// "GET, HEAD, OPTIONS" for a path that exists, empty for one that does not.
    std::string allowed(const HttpRequest &request) const;

    const std::vector<Route> &routes() const { return m_routes; }

private:
    std::vector<Route> m_routes;
};

}  // namespace sg::http
