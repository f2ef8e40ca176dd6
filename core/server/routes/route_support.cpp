#include "core/server/routes/route_context.h"

#include "core/base/log.h"
#include "core/control/task_service.h"
#include "core/server/submission.h"
#include "core/server/webui_options.h"
#include "core/storage/signed_links.h"

#include <QDateTime>

#include <charconv>
#include <memory>

namespace sg::server {

Json schemaRef(const std::string &name)
{
    return {{"$ref", "#/components/schemas/" + name}};
}

Json docParameter(const std::string &where, const std::string &name, const Json &schema, const std::string &text)
{
    return {{"name", name}, {"in", where}, {"required", false}, {"description", text}, {"schema", schema}};
}

Json generationHeaders()
{
    const Json flag = {{"type", "string"}, {"enum", {"true", "false"}}};
    return Json::array(
        {docParameter("header", "Request-Type", {{"type", "string"}, {"enum", {"sync", "async"}}, {"default", "sync"}},
                      "sync answers when the task has ended, async at once"),
         docParameter("header", "taskId", {{"type", "string"}, {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$"}},
                      "the client's choice of id; the same id with the same body is the same task"),
         docParameter("header", "username",
                      {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}$"}, {"default", "default"}},
                      "whose pictures these are"),
         docParameter("header", "Strict", flag, "true: unknown names and fields are errors, not notes")});
}

Expected<Json> jsonBody(const http::HttpRequest &request)
{
    Expected<Json> body = parseJson(request.body);
    if (body && !body->is_object()) return fail(ErrorCode::InvalidArgument, "the body must be a JSON object");
    return body;
}

Expected<std::int64_t> queryInteger(const http::HttpRequest &request, std::string_view name, std::int64_t fallback,
                                    std::int64_t minimum, std::int64_t maximum)
{
    const auto text = request.head.parameter(name);
    if (!text) return fallback;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < minimum || value > maximum)
        return fail(ErrorCode::InvalidArgument,
                    std::string(name) + " must be a whole number between " + std::to_string(minimum) + " and " +
                        std::to_string(maximum),
                    std::string(name));
    return value;
}

Json rfc3339(std::int64_t milliseconds)
{
    if (milliseconds == 0) return nullptr;
    return QDateTime::fromMSecsSinceEpoch(milliseconds, Qt::UTC).toString(Qt::ISODateWithMs).toStdString();
}

Json signedUrls(const RouteContext &context, const std::string &baseUrl, const TaskRecord &task)
{
    Json urls = Json::array();
    for (const std::string &image : task.images)
        urls.push_back(baseUrl + context.links.link(image, QDateTime::currentSecsSinceEpoch()));
    return urls;
}

Expected<bool> wantsAsync(const http::HttpRequest &request)
{
    const std::string kind = http::lowerCase(request.head.field("request-type").value_or("sync"));
    if (kind != "sync" && kind != "async")
        return fail(ErrorCode::InvalidArgument, "Request-Type must be sync or async", "Request-Type");
    return kind == "async";
}

Json taskReply(const RouteContext &context, const std::string &baseUrl, const TaskRecord &task)
{
    Json reply = {{"status", taskStateName(task.state)},
                  {"taskId", task.id},
                  {"ossUrl", signedUrls(context, baseUrl, task)},
                  {"message", task.error.message},
                  {"x_notes", task.notes}};
    if (task.state == TaskState::Failed || task.state == TaskState::Cancelled)
        reply["code"] = errorName(task.error.code);
    return reply;
}

namespace {

using Accepted = std::function<void(const TaskRecord &, http::DeferredReply)>;

/// A generating request on its way into the queue.
struct Submission {
    RouteContext context;
    SubmissionOptions options;
    Json body;
    http::DeferredReply reply;
    Accepted accepted;
    std::vector<StoredPictureName> toRead;

    /// Reads the next of them, or goes on when all are here.
    static void proceed(const std::shared_ptr<Submission> &self)
    {
        if (self->toRead.empty()) return self->submit();
        const StoredPictureName name = self->toRead.back();
        self->toRead.pop_back();
        const Expected<std::string> object = storedPictureObject(name);
        if (!object) return self->reply.fail(object.error());
        self->context.tasks.readObject(*object, self->context.owner, [self, name](Expected<std::string> bytes) {
            if (!bytes)
                return self->reply.fail(
                    {ErrorCode::NotFound, name.place + ": there is no stored picture " + name.text, name.row});
            self->options.stored.emplace(name.text, std::move(*bytes));
            proceed(self);
        });
    }

    void submit()
    {
        Expected<NewTask> task = makeTask(std::move(body), options, context.table, context.library);
        if (!task) return reply.fail(task.error());
        context.tasks.submit(std::move(*task), context.owner,
                             [reply = reply, accepted = std::move(accepted)](Expected<TaskRecord> stored) mutable {
                                 if (!stored) return reply.fail(stored.error());
                                 reply.addField("taskId", stored->id);
                                 accepted(*stored, std::move(reply));
                             });
    }
};

}  // namespace

void mountGeneration(http::Router &router, const GenerationRoutes &routes)
{
    const auto mount = [&](const std::string &path, const std::string &summary, const std::string &body,
                           TaskKind kind) {
        router.defer("POST", routes.base + path,
                     {.summary = summary + routes.summaryEnd,
                      .tag = routes.tag,
                      .parameters = generationHeaders(),
                      .body = schemaRef(routes.schemas + body),
                      .answer = schemaRef(routes.answer)},
                     [generate = routes.generate, kind](const http::HttpRequest &request, http::DeferredReply reply) {
                         generate(request, std::move(reply), kind);
                     });
    };
    mount("/txt2img", "Text to image", "TextToImage", TaskKind::TextToImage);
    mount("/img2img", "Image to image, inpainting", "ImageToImage", TaskKind::ImageToImage);
}

void submitGeneration(const RouteContext &context, const http::HttpRequest &request, http::DeferredReply reply,
                      TaskKind kind, bool webui, Accepted accepted)
{
    SubmissionOptions options;
    options.kind = kind;
    options.taskId = request.head.field("taskid").value_or("");
    options.user = request.head.field("username").value_or("default");
    options.strict = http::lowerCase(request.head.field("strict").value_or("")) == "true";
    options.modelOptional = webui;
    options.stylesFile = context.stylesFile;
    if (webui) {
        options.fallbackModel = context.options.checkpoint();
        options.settings = context.options.settings();
    }
    if (request.head.field("taskid") && options.taskId.empty())
        return reply.fail({ErrorCode::InvalidArgument, "taskId must not be empty", "taskId"});
    Expected<Json> body = jsonBody(request);
    if (!body) return reply.fail(body.error());
    std::vector<StoredPictureName> names = storedPictureNames(*body, context.table.only(kind));
    Submission::proceed(std::make_shared<Submission>(Submission{
        context, std::move(options), std::move(*body), std::move(reply), std::move(accepted), std::move(names)}));
}

}  // namespace sg::server
