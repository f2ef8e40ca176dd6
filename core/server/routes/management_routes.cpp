#include "core/server/routes/route_context.h"

#include "core/base/log.h"
#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/params/param_table.h"
#include "core/params/param_values.h"
#include "core/server/parameters_page.h"

namespace sg::server {
namespace {

using http::DeferredReply;
using http::HttpRequest;
using http::Reply;

Json foldersJson(const RouteContext &context)
{
    Json folders = Json::array();
    for (const std::string &path : context.library.folders())
        folders.push_back({{"path", path}});
    return {{"folders", folders}, {"scanning", context.library.scanning()}};
}

Expected<std::string> pathOf(const HttpRequest &request)
{
    Expected<Json> body = jsonBody(request);
    if (!body) return Unexpected{body.error()};
    const auto path = body->find("path");
    if (path == body->end() || !path->is_string())
        return fail(ErrorCode::InvalidArgument, "path must be a text", "path");
    const auto &text = path->get_ref<const std::string &>();
    if (!text.starts_with('/') || text.size() > 4096 || !http::isCleanUtf8(text))
        return fail(ErrorCode::InvalidArgument, "path must be absolute", "path");
    return text;
}

void changeFolders(const RouteContext &context, const HttpRequest &request, DeferredReply reply, bool add)
{
    const Expected<std::string> path = pathOf(request);
    if (!path) return reply.fail(path.error());
    const auto done = [context, reply](Expected<void> result) {
        if (!result) return reply.fail(result.error());
        reply.send(Reply::json(foldersJson(context)));
    };
    if (add)
        context.library.addPath(*path, true, context.owner, done);
    else
        context.library.removeFolder(*path, context.owner, done);
}

Expected<Reply> logs(const HttpRequest &request)
{
    const auto after = queryInteger(request, "after", 0, 0, INT64_MAX);
    const auto limit = queryInteger(request, "limit", 1000, 1, 10'000);
    if (!after) return Unexpected{after.error()};
    if (!limit) return Unexpected{limit.error()};
    Json lines = Json::array();
    for (const LogLine &line :
         Log::instance().linesAfter(static_cast<std::uint64_t>(*after), static_cast<std::size_t>(*limit)))
        lines.push_back({{"number", line.number},
                         {"time", rfc3339(line.milliseconds)},
                         {"level", logLevelName(line.level)},
                         {"category", line.category},
                         {"message", line.message}});
    return Reply::json({{"lines", lines}});
}

void mountModelFolders(http::Router &router, const RouteContext &context)
{
    router.answer("GET", "/model-folders",
                  {.summary = "Where models are looked for", .tag = "management", .answer = schemaRef("ModelFolders")},
                  [context](const HttpRequest &) -> Expected<Reply> { return Reply::json(foldersJson(context)); });
    router.defer("POST", "/model-folders",
                 {.summary = "Adds a folder, or a single file",
                  .tag = "management",
                  .body = schemaRef("Path"),
                  .answer = schemaRef("ModelFolders"),
                  .ownerOnly = true},
                 [context](const HttpRequest &request, DeferredReply reply) {
                     changeFolders(context, request, std::move(reply), true);
                 });
    router.defer("DELETE", "/model-folders",
                 {.summary = "Forgets a folder; its files stay",
                  .tag = "management",
                  .body = schemaRef("Path"),
                  .answer = schemaRef("ModelFolders"),
                  .ownerOnly = true},
                 [context](const HttpRequest &request, DeferredReply reply) {
                     changeFolders(context, request, std::move(reply), false);
                 });
    router.answer("POST", "/models/rescan",
                  {.summary = "Looks at all folders again", .tag = "management", .answer = schemaRef("Empty")},
                  [context](const HttpRequest &) -> Expected<Reply> {
                      context.library.rescan();
                      return Reply::json(Json::object());
                  });
}

void mountServer(http::Router &router, const RouteContext &context)
{
    router.answer("GET", "/server",
                  {.summary = "The listener for other programs", .tag = "management", .answer = schemaRef("Server")},
                  [context](const HttpRequest &) -> Expected<Reply> { return Reply::json(context.listenerState()); });
    router.answer("PATCH", "/server",
                  {.summary = "Switches that listener, or moves it",
                   .tag = "management",
                   .body = schemaRef("ServerChange"),
                   .answer = schemaRef("Server"),
                   .ownerOnly = true},
                  [context](const HttpRequest &request) -> Expected<Reply> {
                      const Expected<Json> body = jsonBody(request);
                      if (!body) return Unexpected{body.error()};
                      if (const Expected<void> changed = context.changeListener(*body); !changed)
                          return Unexpected{changed.error()};
                      return Reply::json(context.listenerState());
                  });
}

void mountOps(http::Router &router, const RouteContext &context)
{
    router.answer("GET", "/healthz",
                  {.summary = "Whether the server answers", .tag = "ops", .answer = schemaRef("Health")},
                  [](const HttpRequest &) -> Expected<Reply> {
                      return Reply::json({{"status", "ok"}});
                  });
    router.answer("GET", "/readyz", {.summary = "Whether tasks can run", .tag = "ops", .answer = schemaRef("Health")},
                  [context](const HttpRequest &) -> Expected<Reply> {
                      if (!context.tasks.engineReady()) return fail(ErrorCode::Unavailable, "the engine is not ready");
                      return Reply::json({{"status", "ok"}});
                  });
    router.answer("GET", "/openapi.json", {.summary = "This document", .tag = "ops", .answer = {{"type", "object"}}},
                  [context](const HttpRequest &) -> Expected<Reply> { return Reply::json(context.openApi()); });
}

}  // namespace

void mountManagementRoutes(http::Router &router, const RouteContext &context)
{
    router.answer(
        "GET", "/parameters",
        {.summary = "The parameter table with this server's limits",
         .tag = "management",
         .answer = schemaRef("Parameters")},
        [page = parametersJson(context.table)](const HttpRequest &) -> Expected<Reply> { return Reply::json(page); });
    mountModelFolders(router, context);
    mountServer(router, context);
    router.answer(
        "GET", "/logs",
        {.summary = "The log's last lines",
         .tag = "management",
         .parameters = Json::array(
             {docParameter("query", "after", {{"type", "integer"}, {"minimum", 0}}, "only lines above this number"),
              docParameter("query", "limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", 10000}},
                           "how many at most")}),
         .answer = schemaRef("Logs")},
        [](const HttpRequest &request) { return logs(request); });
    mountOps(router, context);
}

}  // namespace sg::server
