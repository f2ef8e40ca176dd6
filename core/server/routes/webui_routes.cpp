#include "core/server/routes/route_context.h"

#include "core/control/task_inputs.h"
#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/server/generation_info.h"
#include "core/server/task_watch.h"
#include "core/server/webui_options.h"

#include <memory>

namespace sg::server {
namespace {

using http::DeferredReply;
using http::HttpRequest;
using http::Reply;

/// Collects the pictures of a finished task one after the other, then answers. Start pictures are echoed only when the
/// request asks for that, as A1111.
struct PictureReader {
    RouteContext context;
    TaskRecord task;
    DeferredReply reply;
    std::vector<std::pair<std::string, std::string>> inputs;  ///< row and object, still to be read from the end
    Json images = Json::array();
    Json echoed = Json::object();

    static void next(const std::shared_ptr<PictureReader> &self)
    {
        const bool made = self->images.size() < self->task.images.size();
        if (!made && self->inputs.empty()) return self->finish();
        const std::string object = made ? self->task.images[self->images.size()] : self->inputs.back().second;
        self->context.tasks.readObject(object, self->context.owner, [self, made](Expected<std::string> bytes) {
            if (!bytes) return self->reply.fail(bytes.error());
            self->take(made, toBase64(*bytes));
            next(self);
        });
    }

    void take(bool made, std::string picture)
    {
        if (made) {
            images.push_back(std::move(picture));
            return;
        }
        const std::string row = inputs.back().first;
        inputs.pop_back();
        if (context.table.find(row)->type == ParamType::Picture)
            echoed[row] = std::move(picture);
        else
            echoed[row].insert(echoed[row].begin(), std::move(picture));
    }

    void finish() const
    {
        Json parameters = task.params;
        for (const auto &[key, value] : task.body.items())
            parameters[key] = value;
        for (const ParamSpec &spec : context.table.specs())
            if (spec.isPicture() && parameters.contains(spec.key))
                parameters[spec.key] = echoed.value(spec.key, Json());
        Json body = {
            {"images", images}, {"parameters", parameters}, {"info", dumpJson(generationInfo(task, context.library))}};
        if (!task.notes.empty()) body["x_notes"] = task.notes;
        reply.send(Reply::json(body));
    }
};

void sendPictures(const RouteContext &context, const Expected<TaskRecord> &task, const DeferredReply &reply)
{
    if (!task) return reply.fail(task.error());
    if (task->state == TaskState::Failed) return reply.fail(task->error);
    auto reader = std::make_shared<PictureReader>(PictureReader{context, *task, reply, {}});
    const auto echo = task->body.find("include_init_images");
    if (echo != task->body.end() && *echo == true) {
        reader->inputs = inputsOf(task->params, context.table);
        for (const auto &[row, object] : reader->inputs)
            if (context.table.find(row)->type == ParamType::Pictures) reader->echoed[row] = Json::array();
    }
    const auto wanted = task->body.find("send_images");
    if (wanted != task->body.end() && *wanted == false) reader->task.images.clear();
    PictureReader::next(reader);
}

void generateAndReturn(const RouteContext &context, const HttpRequest &request, DeferredReply reply, TaskKind kind)
{
    const Expected<bool> async = wantsAsync(request);
    if (!async) return reply.fail(async.error());
    submitGeneration(context, request, std::move(reply), kind, true,
                     [context, async = *async, baseUrl = request.baseUrl](const TaskRecord &task, DeferredReply to) {
                         if (async) return to.send(Reply::json(taskReply(context, baseUrl, task)));
                         context.watch.whenEnded(task, [context, to](const Expected<TaskRecord> &ended) {
                             sendPictures(context, ended, to);
                         });
                     });
}

Json webuiState(const Json &ours)
{
    Json state = {{"skipped", false}, {"interrupted", false}, {"stopping_generation", false}};
    for (const char *key : {"job", "job_count", "job_timestamp", "job_no", "sampling_step", "sampling_steps"})
        state[key] = ours[key];
    return state;
}

Expected<Reply> progress(const RouteContext &context, const HttpRequest &request)
{
    const std::string running = context.tasks.runningTask();
    TaskProgress now;
    if (!running.empty()) now = context.tasks.progress(running).value_or(TaskProgress{});
    const bool busy = !running.empty() || context.tasks.waitingCount() > 0;
    const bool withImage = request.head.parameter("skip_current_image").value_or("false") != "true";
    const Json ours = progressJson(running, now, withImage);
    Json state = webuiState(ours["state"]);
    // Clients take job_count 0 for "nothing to do".
    state["job_count"] = busy ? std::max(now.images, 1) : 0;
    const Json image = ours["currentImage"] == "" ? Json() : ours["currentImage"];
    return Reply::json({{"progress", busy ? std::max(0.01, ours["progress"].get<double>()) : 0.0},
                        {"eta_relative", ours["etaRelative"]},
                        {"state", state},
                        {"current_image", image},
                        {"textinfo", nullptr}});
}

void mountOptions(http::Router &router, const RouteContext &context)
{
    router.answer("GET", "/sdapi/v1/options", {.summary = "Settings", .tag = "a1111", .answer = {{"type", "object"}}},
                  [context](const HttpRequest &) -> Expected<Reply> { return Reply::json(context.options.all()); });
    router.answer("POST", "/sdapi/v1/options",
                  {.summary = "Changes settings; unknown ones are kept",
                   .tag = "a1111",
                   .body = {{"type", "object"},
                            {"properties", {{"sd_model_checkpoint", {{"type", "string"}}}}},
                            {"additionalProperties", true}},
                   .answer = schemaRef("Null")},
                  [context](const HttpRequest &request) -> Expected<Reply> {
                      const Expected<Json> body = jsonBody(request);
                      if (!body) return Unexpected{body.error()};
                      if (const Expected<void> changed = context.options.change(*body); !changed)
                          return Unexpected{changed.error()};
                      return Reply::json(nullptr);
                  });
}

}  // namespace

void mountWebuiRoutes(http::Router &router, const RouteContext &context)
{
    mountGeneration(router, {.base = "/sdapi/v1",
                             .tag = "a1111",
                             .schemas = "Webui",
                             .answer = "WebuiImages",
                             .summaryEnd = ", with the pictures in the answer",
                             .generate = [context](const HttpRequest &request, DeferredReply reply, TaskKind kind) {
                                 generateAndReturn(context, request, std::move(reply), kind);
                             }});
    const Json flag = {{"type", "string"}, {"enum", {"true", "false"}}};
    router.answer(
        "GET", "/sdapi/v1/progress",
        {.summary = "What runs now",
         .tag = "a1111",
         .parameters = Json::array({docParameter("query", "skip_current_image", flag, "true: without the preview")}),
         .answer = schemaRef("WebuiProgress")},
        [context](const HttpRequest &request) { return progress(context, request); });
    router.answer("POST", "/sdapi/v1/interrupt",
                  {.summary = "Stops what runs now", .tag = "a1111", .answer = schemaRef("Empty")},
                  [context](const HttpRequest &) -> Expected<Reply> {
                      context.tasks.interrupt();
                      return Reply::json(Json::object());
                  });
    router.answer("POST", "/sdapi/v1/skip",
                  {.summary = "As interrupt: a task here is one job", .tag = "a1111", .answer = schemaRef("Null")},
                  [context](const HttpRequest &) -> Expected<Reply> {
                      context.tasks.interrupt();
                      return Reply::json(nullptr);
                  });
    mountOptions(router, context);
    mountPngInfoRoute(router, context);
    mountWebuiListRoutes(router, context);
}

}  // namespace sg::server
