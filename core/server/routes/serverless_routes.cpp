#include "core/server/routes/route_context.h"

#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/server/generation_info.h"
#include "core/server/task_watch.h"

namespace sg::server {
namespace {

using http::DeferredReply;
using http::HttpRequest;
using http::Reply;

Json modelJson(const ModelRecord &model)
{
    return {{"type", model.type},
            {"name", model.name},
            {"ossPath", model.path},
            {"etag", model.sha256},
            {"status", model.status},
            {"registeredTime", rfc3339(model.registeredMs)},
            {"lastModificationTime", rfc3339(model.modifiedMs)},
            {"size", model.size},
            {"family", model.family},
            {"variant", model.variant},
            {"reason", model.reason},
            {"title", model.title},
            {"description", model.description},
            {"width", model.nativeWidth},
            {"height", model.nativeHeight},
            {"choices", choicesJson(model.choices)}};
}

/// {"name", "choices": {…}}: what is not named among the choices is detected again.
void chooseForModel(const RouteContext &context, const HttpRequest &request, DeferredReply reply)
{
    const Expected<Json> body = jsonBody(request);
    if (!body) return reply.fail(body.error());
    const auto name = body->find("name"), wanted = body->find("choices");
    if (name == body->end() || !name->is_string())
        return reply.fail({ErrorCode::InvalidArgument, "name must be a text", "name"});
    if (wanted == body->end()) return reply.fail({ErrorCode::InvalidArgument, "choices must be an object", "choices"});
    const Expected<ModelChoices> choices = parseModelChoices(*wanted);
    if (!choices) return reply.fail(choices.error());
    context.library.choose(name->get<std::string>(), *choices, context.owner, [reply](Expected<ModelRecord> model) {
        if (!model) return reply.fail(model.error());
        reply.send(Reply::json(modelJson(*model)));
    });
}

Reply listModels(const RouteContext &context)
{
    Json list = Json::array();
    for (const ModelRecord &model : context.library.models())
        list.push_back(modelJson(model));
    return Reply::json(list);
}

void generate(const RouteContext &context, const HttpRequest &request, DeferredReply reply, TaskKind kind)
{
    const Expected<bool> async = wantsAsync(request);
    if (!async) return reply.fail(async.error());
    const auto answer = [context, baseUrl = request.baseUrl](const DeferredReply &to,
                                                             const Expected<TaskRecord> &task) {
        if (!task) return to.fail(task.error());
        to.send(Reply::json(taskReply(context, baseUrl, *task)));
    };
    submitGeneration(context, request, std::move(reply), kind, false,
                     [context, answer, async = *async](const TaskRecord &task, DeferredReply to) {
                         if (async) return answer(to, task);
                         context.watch.whenEnded(
                             task, [answer, to](const Expected<TaskRecord> &ended) { answer(to, ended); });
                     });
}

/// Looks the task of the path up and answers with what `make` says of it.
void withTask(const RouteContext &context, const HttpRequest &request, DeferredReply reply,
              std::function<void(const TaskRecord &)> use)
{
    const std::string &id = request.segment("id");
    context.tasks.find(id, context.owner, [reply, use = std::move(use)](Expected<TaskRecord> task) {
        if (task)
            use(*task);
        else if (task.error().code == ErrorCode::NotFound)
            reply.fail({ErrorCode::NotFound, "no such task", "id"});
        else
            reply.fail(task.error());
    });
}

Json resultJson(const RouteContext &context, const std::string &baseUrl, const TaskRecord &task)
{
    Json reply = {{"taskId", task.id}, {"status", taskStateName(task.state)}};
    if (task.state == TaskState::Failed || task.state == TaskState::Cancelled) {
        reply["message"] = task.error.message;
        reply["code"] = errorName(task.error.code);
    }
    if (task.state != TaskState::Succeeded) return reply;
    reply["images"] = task.images;
    reply["ossUrl"] = signedUrls(context, baseUrl, task);
    reply["info"] = generationInfo(task, context.library);
    reply["parameters"] = task.params;
    return reply;
}

void progress(const RouteContext &context, const HttpRequest &request, DeferredReply reply)
{
    const std::string &id = request.segment("id");
    if (const auto now = context.tasks.progress(id)) return reply.send(Reply::json(progressJson(id, *now, true)));
    withTask(context, request, reply, [reply](const TaskRecord &task) {
        reply.send(Reply::json(progressJson(task.id, progressOfStored(task), true)));
    });
}

void cancel(const RouteContext &context, const HttpRequest &request, DeferredReply reply)
{
    context.tasks.cancel(request.segment("id"), context.owner, [reply](Expected<TaskRecord> task) {
        if (task) return reply.send(Reply::json({{"taskId", task->id}, {"status", taskStateName(task->state)}}));
        if (task.error().code == ErrorCode::NotFound) return reply.fail({ErrorCode::NotFound, "no such task", "id"});
        reply.fail(task.error());
    });
}

void listTasks(const RouteContext &context, const HttpRequest &request, DeferredReply reply)
{
    const auto limit = queryInteger(request, "limit", 100, 1, 1000);
    const auto offset = queryInteger(request, "offset", 0, 0, 1'000'000'000);
    if (!limit) return reply.fail(limit.error());
    if (!offset) return reply.fail(offset.error());
    context.tasks.list(static_cast<int>(*limit), static_cast<int>(*offset), context.owner,
                       [reply](Expected<std::vector<TaskRecord>> tasks) {
                           if (!tasks) return reply.fail(tasks.error());
                           Json list = Json::array();
                           for (const TaskRecord &task : *tasks)
                               list.push_back({{"taskId", task.id},
                                               {"status", taskStateName(task.state)},
                                               {"model", task.model},
                                               {"user", task.user},
                                               {"created", rfc3339(task.createdMs)},
                                               {"started", rfc3339(task.startedMs)},
                                               {"ended", rfc3339(task.endedMs)},
                                               {"message", task.error.message}});
                           reply.send(Reply::json({{"tasks", list}}));
                       });
}

}  // namespace

void mountServerlessRoutes(http::Router &router, const RouteContext &context)
{
    router.answer("GET", "/models",
                  {.summary = "The models of all folders", .tag = "serverless", .answer = schemaRef("Models")},
                  [context](const HttpRequest &) -> Expected<Reply> { return listModels(context); });
    router.defer("PATCH", "/models",
                 {.summary = "What the user says of a checkpoint, before what is detected",
                  .tag = "serverless",
                  .body = schemaRef("ModelChange"),
                  .answer = schemaRef("Model"),
                  .ownerOnly = true},
                 [context](const HttpRequest &request, DeferredReply reply) {
                     chooseForModel(context, request, std::move(reply));
                 });
    mountGeneration(router, {.tag = "serverless",
                             .answer = "TaskReply",
                             .generate = [context](const HttpRequest &request, DeferredReply reply, TaskKind kind) {
                                 generate(context, request, std::move(reply), kind);
                             }});
    router.defer(
        "GET", "/tasks",
        {.summary = "Tasks, newest first",
         .tag = "serverless",
         .parameters = Json::array(
             {docParameter("query", "limit", {{"type", "integer"}, {"minimum", 1}, {"maximum", 1000}}, "how many"),
              docParameter("query", "offset", {{"type", "integer"}, {"minimum", 0}, {"maximum", 1'000'000'000}},
                           "how many to leave out")}),
         .answer = schemaRef("Tasks")},
        [context](const HttpRequest &request, DeferredReply reply) { listTasks(context, request, std::move(reply)); });
    router.defer("GET", "/tasks/{id}/result",
                 {.summary = "What a task has made", .tag = "serverless", .answer = schemaRef("Result")},
                 [context](const HttpRequest &request, DeferredReply reply) {
                     withTask(context, request, reply,
                              [context, baseUrl = request.baseUrl, reply](const TaskRecord &task) {
                                  reply.send(Reply::json(resultJson(context, baseUrl, task)));
                              });
                 });
    router.defer(
        "GET", "/tasks/{id}/progress",
        {.summary = "How far a task is", .tag = "serverless", .answer = schemaRef("Progress")},
        [context](const HttpRequest &request, DeferredReply reply) { progress(context, request, std::move(reply)); });
    router.defer(
        "POST", "/tasks/{id}/cancellation",
        {.summary = "Stops a task; a finished one stays as it is",
         .tag = "serverless",
         .answer = schemaRef("TaskState")},
        [context](const HttpRequest &request, DeferredReply reply) { cancel(context, request, std::move(reply)); });
    router.defer("GET", "/tasks/{id}/events",
                 {.summary = "State, progress and previews as server-sent events",
                  .tag = "serverless",
                  .answer = schemaRef("Event"),
                  .answerType = "text/event-stream"},
                 [context](const HttpRequest &request, DeferredReply reply) {
                     withTask(context, request, reply,
                              [context, reply](const TaskRecord &task) { context.watch.stream(task, reply); });
                 });
}

}  // namespace sg::server
