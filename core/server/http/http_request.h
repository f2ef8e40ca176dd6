#pragma once

#include "core/server/http/request_head.h"

#include <map>
#include <string>
#include <string_view>

namespace sg::http {

/// A request as handlers see it: the checked head, the body, and what the router found out.
struct HttpRequest {
    RequestHead head;
    std::string body;
    std::string peer;       ///< address of the other end
    std::string baseUrl;    ///< "http://host:port" that the request came to, or the configured public URL
    std::string requestId;  ///< appears in logs, errors and the field X-Request-Id
    std::map<std::string, std::string, std::less<>> segments;  ///< values of the route's {names}, decoded

    bool isRead() const { return head.method == "GET" || head.method == "HEAD"; }
    const std::string &segment(std::string_view name) const { return segments.find(name)->second; }
};

}  // namespace sg::http
