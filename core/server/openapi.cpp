#include "core/server/openapi.h"

#include "core/base/version.h"
#include "core/server/parameters_page.h"
#include "core/server/routes/route_context.h"

namespace sg::server {
namespace {

Json object(const Json &properties, const Json &required = Json::array())
{
    Json schema = {{"type", "object"}, {"properties", properties}};
    if (!required.empty()) schema["required"] = required;
    return schema;
}

Json listOf(const Json &items)
{
    return {{"type", "array"}, {"items", items}};
}

Json oneOf(Json values)
{
    return {{"type", "string"}, {"enum", std::move(values)}};
}

Json nullable(Json schema)
{
    schema["nullable"] = true;
    return schema;
}

const Json kText = {{"type", "string"}};
const Json kInteger = {{"type", "integer"}};
const Json kNumber = {{"type", "number"}};
const Json kFlag = {{"type", "boolean"}};
const Json kAnything = {{"type", "object"}};

Json statusSchema()
{
    return {{"type", "string"}, {"enum", {"waiting", "running", "succeeded", "failed", "cancelled"}}};
}

/// The body of a generating request. null means the default, as in A1111.
Json requestSchema(const ParamTable &table, const std::vector<std::string> &models, bool webui)
{
    Json properties = Json::object();
    for (const ParamSpec &spec : table.specs())
        properties[spec.key] = paramSchema(spec);
    if (properties.contains("init_images")) properties["init_images"]["minItems"] = 1;
    properties["infotext"] = {{"type", "string"}, {"description", "fills the rows that the body does not send"}};
    properties["stable_diffusion_model"].erase("default");
    if (!models.empty()) properties["stable_diffusion_model"]["enum"] = models;
    if (webui) {
        properties["sampler_index"] = kText;
        properties["override_settings"] = kAnything;
        properties["alwayson_scripts"] = kAnything;
        properties["send_images"] = kFlag;
        if (!properties.contains("init_images")) return object(properties);
        properties["include_init_images"] = kFlag;
        return object(properties, {"init_images"});
    }
    properties["stable_diffusion_model"]["minLength"] = 1;
    if (!properties.contains("init_images")) return object(properties, {"stable_diffusion_model"});
    return object(properties, {"stable_diffusion_model", "init_images"});
}

Json taskSchemas()
{
    const Json texts = listOf(kText);
    const Json progressState = object({{"job", kText},
                                       {"job_count", kInteger},
                                       {"job_no", kInteger},
                                       {"sampling_step", kInteger},
                                       {"sampling_steps", kInteger}});
    return {{"TaskReply", object({{"status", statusSchema()},
                                  {"taskId", kText},
                                  {"ossUrl", texts},
                                  {"message", kText},
                                  {"code", kText},
                                  {"x_notes", texts}},
                                 {"status", "taskId"})},
            {"TaskState", object({{"status", statusSchema()}, {"taskId", kText}}, {"status", "taskId"})},
            {"Result", object({{"status", statusSchema()},
                               {"taskId", kText},
                               {"images", texts},
                               {"ossUrl", texts},
                               {"info", kAnything},
                               {"parameters", kAnything},
                               {"message", kText},
                               {"code", kText}},
                              {"status", "taskId"})},
            {"Progress", object({{"taskId", kText},
                                 {"progress", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
                                 {"etaRelative", kNumber},
                                 {"currentImage", kText},
                                 {"state", progressState},
                                 {"status", statusSchema()},
                                 {"rate", kNumber},
                                 {"sigma", kNumber},
                                 {"position", kInteger},
                                 {"loading", nullable(kNumber)}},
                                {"taskId", "progress", "status"})},
            {"Tasks", object({{"tasks", listOf(object({{"taskId", kText},
                                                       {"status", statusSchema()},
                                                       {"model", kText},
                                                       {"user", kText},
                                                       {"message", kText},
                                                       {"created", nullable(kText)},
                                                       {"started", nullable(kText)},
                                                       {"ended", nullable(kText)}}))}},
                             {"tasks"})},
            {"WebuiImages", object({{"images", texts}, {"parameters", kAnything}, {"info", kText}})},
            {"WebuiProgress", object({{"progress", kNumber},
                                      {"eta_relative", kNumber},
                                      {"state", kAnything},
                                      {"current_image", nullable(kText)},
                                      {"textinfo", nullable(kText)}},
                                     {"progress", "state"})}};
}

Json managementSchemas()
{
    const Json port = {{"type", "integer"}, {"minimum", 0}, {"maximum", 65535}};
    const Json choices = object({{"family", nullable(oneOf({"sd1", "sd2", "sdxl", "sdxl-refiner"}))},
                                 {"prediction", nullable(oneOf({"epsilon", "v"}))},
                                 {"zeroTerminalSnr", nullable(kFlag)},
                                 {"ema", nullable(kFlag)}});
    const Json model = object({{"type", kText},
                               {"name", kText},
                               {"ossPath", kText},
                               {"etag", kText},
                               {"status", kText},
                               {"registeredTime", nullable(kText)},
                               {"lastModificationTime", nullable(kText)},
                               {"size", kInteger},
                               {"family", kText},
                               {"variant", kText},
                               {"reason", kText},
                               {"title", kText},
                               {"description", kText},
                               {"width", kInteger},
                               {"height", kInteger},
                               {"choices", choices}},
                              {"type", "name", "status"});
    return {{"Models", listOf(model)},
            {"Model", model},
            {"ModelChange", object({{"name", kText}, {"choices", choices}}, {"name", "choices"})},
            {"Parameters",
             object({{"groups", listOf(kText)}, {"parameters", listOf(kAnything)}}, {"groups", "parameters"})},
            {"Path", object({{"path", {{"type", "string"}, {"pattern", "^/"}, {"maxLength", 4096}}}}, {"path"})},
            {"ModelFolders",
             object({{"folders", listOf(object({{"path", kText}}))}, {"scanning", kFlag}}, {"folders", "scanning"})},
            {"Server", object({{"listening", kFlag},
                               {"address", kText},
                               {"port", port},
                               {"url", kText},
                               {"requests", kInteger},
                               {"version", kText},
                               {"error", kText}},
                              {"listening", "version"})},
            {"ServerChange", object({{"listening", kFlag}, {"address", kText}, {"port", port}})},
            {"Logs", object({{"lines", listOf(object({{"number", kInteger},
                                                      {"time", kText},
                                                      {"level", kText},
                                                      {"category", kText},
                                                      {"message", kText}}))}},
                            {"lines"})},
            {"Health", object({{"status", kText}}, {"status"})},
            {"Event", object({{"event", kText}, {"data", kText}}, {"event", "data"})},
            {"Empty", {{"type", "object"}, {"additionalProperties", false}}},
            {"Null", {{"nullable", true}, {"enum", Json::array({nullptr})}}}};
}

Json errorSchemas()
{
    return {{"Error", object({{"code", kText}, {"message", kText}, {"field", kText}, {"requestId", kText}},
                             {"code", "message", "requestId"})},
            {"WebuiError", kAnything}};
}

Json pathParameter(const std::string &name)
{
    // A dot alone would be taken for a folder by clients that tidy URLs.
    const Json schema = name == "id" ? Json{{"type", "string"}, {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$"}}
                                     : Json{{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}(\\.png)?$"}};
    return {{"name", name}, {"in", "path"}, {"required", true}, {"schema", schema}};
}

/// "POST /tasks/{id}/cancellation" is "post_tasks_id_cancellation".
std::string operationId(const std::string &method, const std::string &path)
{
    std::string id = http::lowerCase(method);
    for (const char c : path) {
        if (c == '/' || c == '-' || c == '.')
            id.push_back('_');
        else if (c != '{' && c != '}')
            id.push_back(c);
    }
    return id;
}

/// From a generating request to what its task's id opens.
Json taskLinks()
{
    Json links = Json::object();
    for (const auto &[method, path] :
         {std::pair{"GET", "/tasks/{id}/result"}, std::pair{"GET", "/tasks/{id}/progress"},
          std::pair{"GET", "/tasks/{id}/events"}, std::pair{"POST", "/tasks/{id}/cancellation"}}) {
        const std::string id = operationId(method, path);
        links[id] = {{"operationId", id}, {"parameters", {{"id", "$response.body#/taskId"}}}};
    }
    return links;
}

Json operation(const http::Route &route)
{
    Json parameters = Json::array();
    for (const std::string &segment : route.segments)
        if (segment.size() > 2 && segment.front() == '{')
            parameters.push_back(pathParameter(segment.substr(1, segment.size() - 2)));
    for (const Json &parameter : route.doc.parameters)
        parameters.push_back(parameter);
    Json made = {{"operationId", operationId(route.method, route.path)},
                 {"summary", route.doc.summary},
                 {"tags", {route.doc.tag}}};
    if (!parameters.empty()) made["parameters"] = parameters;
    if (!route.doc.body.is_null())
        made["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", route.doc.body}}}}}};
    const std::string error = route.path.starts_with("/sdapi/") ? "WebuiError" : "Error";
    made["responses"] = {
        {"200", {{"description", "done"}, {"content", {{route.doc.answerType, {{"schema", route.doc.answer}}}}}}},
        {"default",
         {{"description", "an error"}, {"content", {{"application/json", {{"schema", schemaRef(error)}}}}}}}};
    if (route.doc.answer == schemaRef("TaskReply")) made["responses"]["200"]["links"] = taskLinks();
    if (route.doc.ownerOnly) made["description"] = "Answered only to the desktop of this machine; others get 403.";
    return made;
}

}  // namespace

Json openApiDocument(const http::Router &router, const ParamTable &table, const std::vector<std::string> &models)
{
    Json paths = Json::object();
    for (const http::Route &route : router.routes())
        paths[route.path][http::lowerCase(route.method)] = operation(route);
    const ParamTable text = table.only(TaskKind::TextToImage);
    const ParamTable image = table.only(TaskKind::ImageToImage);
    Json schemas = {{"TextToImage", requestSchema(text, models, false)},
                    {"WebuiTextToImage", requestSchema(text, models, true)},
                    {"ImageToImage", requestSchema(image, models, false)},
                    {"WebuiImageToImage", requestSchema(image, models, true)}};
    for (const Json &part : {taskSchemas(), managementSchemas(), errorSchemas()})
        for (const auto &[name, schema] : part.items())
            schemas[name] = schema;
    return {{"openapi", "3.0.3"},
            {"info",
             {{"title", "Serigraph"},
              {"version", version()},
              {"description", "Stable Diffusion by HTTP: the serverless API, a subset of A1111's, and management."},
              {"license", {{"name", "GPL-3.0-or-later"}}}}},
            {"paths", paths},
            {"components", {{"schemas", schemas}}}};
}

}  // namespace sg::server
