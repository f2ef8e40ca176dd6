#include "core/server/webui_errors.h"

namespace sg::server {
namespace {

http::Reply plainError(int status, std::string_view name, const std::string &message)
{
    return http::Reply::json({{"error", name}, {"detail", message}, {"body", ""}, {"errors", message}}, status);
}

}  // namespace

http::Reply webuiErrorReply(const Error &error, const std::string &requestId)
{
    if (error.code == ErrorCode::InvalidArgument) {
        Json place = Json::array({"body"});
        if (!error.subject.empty()) place.push_back(error.subject);
        const Json detail = {{"loc", place}, {"msg", error.message}, {"type", "value_error"}};
        return http::Reply::json({{"detail", Json::array({detail})}}, 422);
    }
    if (error.code == ErrorCode::NotFound) return http::Reply::json({{"detail", error.message}}, 404);
    http::Reply reply = http::errorReply(error, requestId);
    reply.body = plainError(reply.status, errorName(error.code), error.message).body;
    return reply;
}

http::Reply webuiRefusal(int status, const std::string &message)
{
    if (status == 404) return http::Reply::json({{"detail", "Not Found"}}, 404);
    return plainError(status, http::codeOfStatus(status), message);
}

}  // namespace sg::server
