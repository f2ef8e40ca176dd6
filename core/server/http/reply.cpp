#include "core/server/http/reply.h"

#include <array>

namespace sg::http {
namespace {

struct StatusRow {
    int status;
    std::string_view phrase;
    std::string_view code;  ///< empty: no error
};

constexpr std::array<StatusRow, 25> kStatus{{
    {100, "Continue", ""},
    {200, "OK", ""},
    {202, "Accepted", ""},
    {204, "No Content", ""},
    {400, "Bad Request", "invalid_argument"},
    {401, "Unauthorized", "unauthorized"},
    {403, "Forbidden", "forbidden"},
    {404, "Not Found", "not_found"},
    {405, "Method Not Allowed", "method_not_allowed"},
    {408, "Request Timeout", "timeout"},
    {409, "Conflict", "conflict"},
    {410, "Gone", "expired"},
    {411, "Length Required", "length_required"},
    {413, "Content Too Large", "too_large"},
    {414, "URI Too Long", "too_large"},
    {415, "Unsupported Media Type", "unsupported_type"},
    {417, "Expectation Failed", "expectation_failed"},
    {421, "Misdirected Request", "forbidden"},
    {422, "Unprocessable Content", "unusable_file"},
    {429, "Too Many Requests", "queue_full"},
    {431, "Request Header Fields Too Large", "too_large"},
    {500, "Internal Server Error", "internal"},
    {501, "Not Implemented", "not_implemented"},
    {503, "Service Unavailable", "unavailable"},
    {507, "Insufficient Storage", "disk_full"},
}};

const StatusRow &rowOf(int status)
{
    for (const StatusRow &row : kStatus)
        if (row.status == status) return row;
    return rowOf(500);
}

Reply errorBody(int status, std::string_view code, std::string_view message, std::string_view field,
                const std::string &requestId)
{
    return Reply::json({{"code", code}, {"message", message}, {"field", field}, {"requestId", requestId}}, status);
}

}  // namespace

Reply Reply::json(const Json &value, int status)
{
    return Reply{status, "application/json", dumpJson(value), {}, "no-store"};
}

int statusOf(ErrorCode code)
{
    switch (code) {
    case ErrorCode::InvalidArgument:
        return 400;
    case ErrorCode::NotFound:
        return 404;
    case ErrorCode::Conflict:
        return 409;
    case ErrorCode::Forbidden:
        return 403;
    case ErrorCode::Expired:
        return 410;
    case ErrorCode::TooLarge:
        return 413;
    case ErrorCode::UnusableFile:
        return 422;
    case ErrorCode::ModelChanged:
        return 409;
    case ErrorCode::QueueFull:
        return 429;
    case ErrorCode::Cancelled:
        return 409;
    case ErrorCode::DiskFull:
        return 507;
    case ErrorCode::Unavailable:
        return 503;
    case ErrorCode::NonFinite:
    case ErrorCode::OutOfMemory:
    case ErrorCode::EngineFailed:
    case ErrorCode::Internal:
        return 500;
    }
    return 500;
}

std::string_view reasonPhrase(int status)
{
    return rowOf(status).phrase;
}

std::string_view codeOfStatus(int status)
{
    return rowOf(status).code;
}

Reply errorReply(const Error &error, const std::string &requestId)
{
    Reply reply = errorBody(statusOf(error.code), errorName(error.code), error.message, error.subject, requestId);
    if (error.code == ErrorCode::QueueFull || error.code == ErrorCode::Unavailable)
        reply.fields.emplace_back("Retry-After", "5");
    return reply;
}

Reply refusalReply(int status, std::string_view message, const std::string &requestId)
{
    Reply reply = errorBody(status, codeOfStatus(status), message, "", requestId);
    if (status == 503) reply.fields.emplace_back("Retry-After", "5");
    if (status == 401) reply.fields.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
}

}  // namespace sg::http
