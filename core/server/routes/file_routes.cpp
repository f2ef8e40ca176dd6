#include "core/server/routes/route_context.h"

#include "core/control/task_service.h"
#include "core/storage/signed_links.h"

#include <QDateTime>

namespace sg::server {
namespace {

using http::DeferredReply;
using http::HttpRequest;
using http::Reply;

void sendPicture(const RouteContext &context, const HttpRequest &request, DeferredReply reply)
{
    const std::string object = "images/" + request.segment("user") + "/" + request.segment("name");
    const std::string_view expires = request.head.parameter("expires").value_or("");
    const std::string_view signature = request.head.parameter("signature").value_or("");
    const Expected<void> genuine = context.links.verify(object, expires, signature, QDateTime::currentSecsSinceEpoch());
    if (!genuine) return reply.fail(genuine.error());
    context.tasks.readObject(object, context.owner, [reply](Expected<std::string> bytes) {
        if (!bytes) return reply.fail({ErrorCode::NotFound, "the picture is gone", "name"});
        reply.send(
            Reply{200, "image/png", std::move(*bytes), {{"Content-Disposition", "inline"}}, "private, max-age=3600"});
    });
}

}  // namespace

void mountFileRoutes(http::Router &router, const RouteContext &context)
{
    const Json text = {{"type", "string"}};
    router.defer(
        "GET", "/files/images/{user}/{name}",
        {.summary = "A picture, by its signed link",
         .tag = "serverless",
         .parameters = Json::array({docParameter("query", "expires", text, "seconds since 1970, as in the link"),
                                    docParameter("query", "signature", text, "as in the link")}),
         .answer = {{"type", "string"}, {"format", "binary"}},
         .answerType = "image/png",
         .openToAll = true},
        [context](const HttpRequest &request, DeferredReply reply) {
            sendPicture(context, request, std::move(reply));
        });
}

}  // namespace sg::server
