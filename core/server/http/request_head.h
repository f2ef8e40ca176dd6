#pragma once

#include "core/server/http/http_limits.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sg::http {

/// The request line and the fields of one request, checked by every rule that does not need the body.
/// Source  RFC 9112 sections 2 to 6, read strictly: what a recipient may repair is refused here.
struct RequestHead {
    std::string method;
    std::string target;                 ///< as sent: "/a%20b?x=1", or "*"
    std::vector<std::string> segments;  ///< of the path, each decoded on its own: "/a%2Fb/c" is {"a/b", "c"}
    std::vector<std::pair<std::string, std::string>> query;   ///< decoded; no name twice
    std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case, values trimmed
    std::uint64_t contentLength = 0;
    bool hasContentLength = false;
    bool expectContinue = false;
    std::size_t bytes = 0;  ///< of the head, with its empty line

    /// The value of a field (name in lower case); nothing when it is absent.
    std::optional<std::string_view> field(std::string_view name) const;
    std::optional<std::string_view> parameter(std::string_view name) const;
    std::string path() const { return target.substr(0, target.find('?')); }
};

/// Why a request is not let through.
struct Refusal {
    int status = 400;
    std::string message;
};

struct NeedMore {};

/// Reads a head from the first bytes of a connection. `scanned` is where the last call stopped (0 at first).
std::variant<NeedMore, Refusal, RequestHead> readHead(std::string_view bytes, std::size_t &scanned,
                                                      const HttpLimits &limits);

/// Whether `text` is valid UTF-8 without control characters.
bool isCleanUtf8(std::string_view text);

/// %XX decoding; nothing when an escape is broken.
std::optional<std::string> percentDecode(std::string_view text, bool plusIsSpace = false);

std::string lowerCase(std::string_view text);

}  // namespace sg::http
