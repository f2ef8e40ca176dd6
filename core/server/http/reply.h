#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sg::http {

/// A whole answer, as a value. Length, date and the safety fields are added where it is written.
struct Reply {
    int status = 200;
    std::string contentType = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string cacheControl = "no-store";

    static Reply json(const Json &value, int status = 200);
    static Reply empty(int status) { return Reply{status, {}, {}, {}, "no-store"}; }
};

/// The one table from error codes to HTTP.
int statusOf(ErrorCode code);

std::string_view reasonPhrase(int status);

/// `code` of an error that only HTTP has ("method_not_allowed"), or of the error code with this status.
std::string_view codeOfStatus(int status);

/// {code, message, field, requestId}
Reply errorReply(const Error &error, const std::string &requestId);
Reply refusalReply(int status, std::string_view message, const std::string &requestId);

}  // namespace sg::http
