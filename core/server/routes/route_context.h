#pragma once

#include "core/params/param_spec.h"
#include "core/server/http/router.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <string>

namespace sg {

class ModelLibrary;
class ParamTable;
class SignedLinks;
class TaskService;
struct TaskRecord;

namespace server {

class TaskWatch;
class WebuiOptions;

/// What handlers work with. Everything lives as long as the server.
/// Thread  the server's.
struct RouteContext {
    const ParamTable &table;
    ModelLibrary &library;
    TaskService &tasks;
    const SignedLinks &links;
    WebuiOptions &options;
    TaskWatch &watch;
    QObject *owner = nullptr;  ///< in whose thread the services' replies come
    std::function<Json()> listenerState;
    std::function<Expected<void>(const Json &)> changeListener;
    std::function<Json()> openApi;
    std::filesystem::path stylesFile = {};  ///< styles.csv
};

void mountServerlessRoutes(http::Router &router, const RouteContext &context);
void mountFileRoutes(http::Router &router, const RouteContext &context);
void mountWebuiRoutes(http::Router &router, const RouteContext &context);
void mountWebuiListRoutes(http::Router &router, const RouteContext &context);
void mountPngInfoRoute(http::Router &router, const RouteContext &context);
void mountManagementRoutes(http::Router &router, const RouteContext &context);

/// {"$ref": "#/components/schemas/<name>"}
Json schemaRef(const std::string &name);
/// An OpenAPI parameter object; `where` is "query" or "header".
Json docParameter(const std::string &where, const std::string &name, const Json &schema, const std::string &text);
/// The headers of a generating request.
Json generationHeaders();

/// The request's JSON body. Errors  InvalidArgument, with the position.
Expected<Json> jsonBody(const http::HttpRequest &request);

/// A whole number of the query. Errors  InvalidArgument outside [minimum, maximum].
Expected<std::int64_t> queryInteger(const http::HttpRequest &request, std::string_view name, std::int64_t fallback,
                                    std::int64_t minimum, std::int64_t maximum);

/// "2026-11-22T20:17:38.123Z", or null for 0.
Json rfc3339(std::int64_t milliseconds);

/// Signed, absolute (beginning with `baseUrl`), one an image.
Json signedUrls(const RouteContext &context, const std::string &baseUrl, const TaskRecord &task);

/// Reads the stored pictures that a generating request names, parses, checks and submits it; `accepted` runs when it is
/// stored. Every error is answered here.
void submitGeneration(const RouteContext &context, const http::HttpRequest &request, http::DeferredReply reply,
                      TaskKind kind, bool webui, std::function<void(const TaskRecord &, http::DeferredReply)> accepted);

/// POST <base>/txt2img and <base>/img2img, with `tag`, the body schemas <schemas>TextToImage and <schemas>ImageToImage.
struct GenerationRoutes {
    std::string base = {};
    std::string tag;
    std::string schemas = {};
    std::string answer;
    std::string summaryEnd = {};
    std::function<void(const http::HttpRequest &, http::DeferredReply, TaskKind)> generate;
};
void mountGeneration(http::Router &router, const GenerationRoutes &routes);

/// Whether the header Request-Type says async. Errors  InvalidArgument for other words than sync and async.
Expected<bool> wantsAsync(const http::HttpRequest &request);

/// {status, taskId, ossUrl, message, x_notes}
Json taskReply(const RouteContext &context, const std::string &baseUrl, const TaskRecord &task);

}  // namespace server
}  // namespace sg
