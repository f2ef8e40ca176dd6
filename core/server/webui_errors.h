#pragma once

#include "core/server/http/reply.h"

#include <string>

namespace sg::server {

/// Errors below /sdapi as A1111 (FastAPI) shows them: 422 {detail: [{loc, msg, type}]} for a bad field, 404 {detail},
/// else {error, detail, body, errors}.
http::Reply webuiErrorReply(const Error &error, const std::string &requestId);
http::Reply webuiRefusal(int status, const std::string &message);

}  // namespace sg::server
