#include "core/server/api_server.h"

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "core/models/model_library.h"
#include "core/server/listener.h"
#include "core/server/openapi.h"
#include "core/server/routes/route_context.h"
#include "core/server/task_watch.h"
#include "core/server/webui_options.h"

#include <QHostAddress>

#include <utility>

namespace sg::server {
namespace {

constexpr int kTokenLength = 43;  // 256 bits

}  // namespace

class ApiServer::Private {
public:
    Private(ApiServerConfig given, ModelLibrary &modelLibrary, TaskService &taskService, SignedLinks signedLinks)
        : config(std::move(given)), links(std::move(signedLinks)), options(config.optionsFile, modelLibrary),
          watch(taskService),
          token(randomId(kTokenLength)), context{config.table, modelLibrary, taskService, links, options,
                                                 watch,        &watch,       {},          {},    {}},
          publicListener(router, config.limits, {}), privateListener(router, config.limits, token)
    {
        place = {config.address, config.port, config.allowRemote, config.publicUrl, config.allowedHosts};
        context.listenerState = [this] { return listenerState(); };
        context.changeListener = [this](const Json &wanted) { return changeListener(wanted); };
        context.openApi = [this] { return document(); };
        context.stylesFile = config.stylesFile;
        mountServerlessRoutes(router, context);
        mountFileRoutes(router, context);
        mountWebuiRoutes(router, context);
        mountManagementRoutes(router, context);
    }

    Json listenerState() const
    {
        const bool on = publicListener.isListening();
        return {{"listening", on},
                {"address", place.address},
                {"port", on ? publicListener.port() : place.port},
                {"url", publicListener.url()},
                {"requests", publicListener.requestCount()},
                {"version", version()},
                {"error", listenError}};
    }

    Json document() const
    {
        std::vector<std::string> models;
        for (const ModelRecord &model : context.library.models())
            if (model.type == "stableDiffusion" && model.status != "unusable") models.push_back(model.name);
        return openApiDocument(router, config.table, models);
    }

    Expected<void> changeListener(const Json &wanted);
    Expected<void> applyListener(bool on);
    void publishUrls();

    ApiServerConfig config;
    SignedLinks links;
    WebuiOptions options;
    TaskWatch watch;
    std::string token;
    RouteContext context;
    http::Router router;
    Listener publicListener;
    Listener privateListener;
    Listener::Place place;
    std::string listenError;

    mutable std::mutex mutex;  ///< of the two strings, which other threads read
    std::string publicUrl;
    std::string privateUrl;
};

Expected<void> ApiServer::Private::changeListener(const Json &wanted)
{
    Listener::Place next = place;
    bool on = publicListener.isListening();
    for (const auto &[key, value] : wanted.items()) {
        if (key == "listening") {
            if (!value.is_boolean()) return fail(ErrorCode::InvalidArgument, "listening must be true or false", key);
            on = value.get<bool>();
        } else if (key == "address") {
            if (!value.is_string()) return fail(ErrorCode::InvalidArgument, "address must be a text", key);
            next.address = value.get<std::string>();
        } else if (key == "port") {
            if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > 65535)
                return fail(ErrorCode::InvalidArgument, "port must be a whole number between 0 and 65535", key);
            next.port = value.get<std::uint16_t>();
        } else {
            return fail(ErrorCode::InvalidArgument, "unknown field \"" + key.substr(0, 80) + "\"", key.substr(0, 80));
        }
    }
    if (next.address != "localhost" && QHostAddress(QString::fromStdString(next.address)).isNull())
        return fail(ErrorCode::InvalidArgument, "\"" + next.address.substr(0, 80) + "\" is not an IP address",
                    "address");
    const bool moved = next.address != place.address || next.port != place.port;
    const Listener::Place before = std::exchange(place, next);
    const bool wasListening = publicListener.isListening();
    if (on == wasListening && !(on && moved)) return {};
    Expected<void> applied = applyListener(on);
    if (!applied && wasListening) {
        // The old listener goes on rather than none.
        place = before;
        if (!publicListener.isListening()) (void)publicListener.listen(place);
        publishUrls();
    }
    // A port that is taken is the caller's to change, not this server's failure.
    if (!applied && applied.error().code == ErrorCode::Unavailable) applied.error().code = ErrorCode::Conflict;
    return applied;
}

Expected<void> ApiServer::Private::applyListener(bool on)
{
    Expected<void> result;
    if (on)
        result = publicListener.listen(place);
    else
        publicListener.close();
    listenError = result ? std::string() : result.error().message;
    publishUrls();
    return result;
}

void ApiServer::Private::publishUrls()
{
    const std::lock_guard lock(mutex);
    publicUrl = publicListener.url();
    privateUrl = privateListener.url();
}

ApiServer::ApiServer(ApiServerConfig config, ModelLibrary &library, TaskService &tasks, SignedLinks links)
    : d(std::make_unique<Private>(std::move(config), library, tasks, std::move(links)))
{
}

ApiServer::~ApiServer() = default;

Expected<void> ApiServer::start()
{
    if (d->config.listenPrivate) {
        if (Expected<void> listening = d->privateListener.listen({}); !listening) return listening;
        d->publishUrls();
    }
    if (d->config.listenPublic)
        if (Expected<void> listening = d->applyListener(true); !listening && !d->config.publicIsOptional)
            return listening;
    return {};
}

void ApiServer::stop()
{
    d->publicListener.shutDown();
    d->privateListener.shutDown();
    d->publishUrls();
}

int ApiServer::connectionCount() const
{
    return d->publicListener.connectionCount() + d->privateListener.connectionCount();
}

std::string ApiServer::publicUrl() const
{
    const std::lock_guard lock(d->mutex);
    return d->publicUrl;
}

std::string ApiServer::privateUrl() const
{
    const std::lock_guard lock(d->mutex);
    return d->privateUrl;
}

const std::string &ApiServer::privateToken() const
{
    return d->token;
}

}  // namespace sg::server
