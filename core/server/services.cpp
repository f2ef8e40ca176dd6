#include "core/server/services.h"

#include "core/base/log.h"
#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/server/api_server.h"
#include "core/storage/data_dir_lock.h"
#include "core/storage/signed_links.h"

#include <QDeadlineTimer>
#include <QThread>

#include <optional>

namespace sg {
namespace {

constexpr int kLastRepliesMs = 500;  ///< how long answers under way may take when the server stops

/// A thread with an event loop, and a way to run something in it and wait.
class LoopThread {
public:
    explicit LoopThread(const char *name)
    {
        m_thread.setObjectName(QLatin1String(name));
        m_anchor.moveToThread(&m_thread);
        m_thread.start();
    }
    ~LoopThread()
    {
        m_thread.quit();
        m_thread.wait();
    }
    QThread *thread() { return &m_thread; }

    template <class Function>
    void run(Function function)
    {
        QMetaObject::invokeMethod(&m_anchor, std::move(function), Qt::BlockingQueuedConnection);
    }

private:
    QThread m_thread;
    QObject m_anchor;
};

}  // namespace

class Services::Private {
public:
    explicit Private(ServicesConfig given) : config(std::move(given)), table(config.table.limited(config.limits)) {}

    Expected<void> start();
    Expected<void> startTasks();
    Expected<void> startApi(SignedLinks links);
    void stop();

    ServicesConfig config;
    ParamTable table;
    std::shared_ptr<DataDirLock> lock;
    std::unique_ptr<ModelLibrary> library;
    std::optional<LoopThread> io;
    std::optional<LoopThread> http;
    TaskService *tasks = nullptr;      ///< lives and dies in the io thread
    server::ApiServer *api = nullptr;  ///< lives and dies in the http thread
};

Expected<void> Services::Private::start()
{
    Expected<std::shared_ptr<DataDirLock>> held = DataDirLock::acquire(config.dataDir);
    if (!held) return Unexpected{held.error()};
    lock = std::move(*held);
    Expected<SignedLinks> links = SignedLinks::open(config.dataDir / "links.key");
    if (!links) return Unexpected{links.error()};
    library = std::make_unique<ModelLibrary>(config.dataDir / "serigraph.db");
    for (const std::string &folder : config.modelFolders)
        library->addPath(folder, false, nullptr, [folder](Expected<void> added) {
            if (!added) logError("library", "the model folder " + folder + " cannot be used: " + added.error().message);
        });
    if (Expected<void> started = startTasks(); !started) return started;
    return startApi(std::move(*links));
}

Expected<void> Services::Private::startTasks()
{
    io.emplace("io");
    TaskServiceConfig wanted;
    wanted.dataDir = config.dataDir;
    wanted.engineProgram = config.engineProgram;
    wanted.engineArguments = config.engineArguments;
    const std::filesystem::path wildcards = config.wildcards.empty() ? config.dataDir / "wildcards" : config.wildcards;
    wanted.engineArguments.insert(wanted.engineArguments.end(), {"--wildcards", wildcards.string()});
    wanted.table = &table;
    Expected<void> started;
    io->run([&] {
        tasks = new TaskService(wanted, *library);
        started = tasks->start();
    });
    return started;
}

Expected<void> Services::Private::startApi(SignedLinks links)
{
    http.emplace("http");
    server::ApiServerConfig wanted;
    wanted.optionsFile = config.dataDir / "options.json";
    wanted.stylesFile = config.dataDir / "styles.csv";
    wanted.table = table;
    wanted.limits = config.http;
    wanted.listenPublic = config.listenPublic;
    wanted.publicIsOptional = config.publicIsOptional;
    wanted.address = config.address;
    wanted.port = config.port;
    wanted.allowRemote = config.allowRemote;
    wanted.publicUrl = config.publicUrl;
    wanted.allowedHosts = config.allowedHosts;
    wanted.listenPrivate = config.listenPrivate;
    Expected<void> started;
    http->run([&] {
        api = new server::ApiServer(std::move(wanted), *library, *tasks, std::move(links));
        started = api->start();
    });
    return started;
}

void Services::Private::stop()
{
    if (api) {
        http->run([this] { api->stop(); });
        const QDeadlineTimer deadline(kLastRepliesMs);
        int open = 1;
        while (open > 0 && !deadline.hasExpired()) {
            http->run([&] { open = api->connectionCount(); });
            if (open > 0) QThread::msleep(10);
        }
        http->run([this] { delete api; });
        api = nullptr;
    }
    http.reset();
    if (tasks) {
        io->run([this] {
            tasks->stop();
            delete tasks;
        });
        tasks = nullptr;
    }
    io.reset();
    library.reset();
    lock.reset();
}

Services::Services(ServicesConfig config) : d(std::make_unique<Private>(std::move(config))) {}

Services::~Services()
{
    stop();
}

Expected<void> Services::start()
{
    Expected<void> started = d->start();
    if (!started) d->stop();
    return started;
}

void Services::stop()
{
    d->stop();
}

std::string Services::privateUrl() const
{
    return d->api ? d->api->privateUrl() : std::string();
}

std::string Services::privateToken() const
{
    return d->api ? d->api->privateToken() : std::string();
}

std::string Services::publicUrl() const
{
    return d->api ? d->api->publicUrl() : std::string();
}

ModelLibrary &Services::library()
{
    return *d->library;
}

TaskService &Services::tasks()
{
    return *d->tasks;
}

std::filesystem::path Services::stylesFile() const
{
    return d->config.dataDir / "styles.csv";
}

const ParamTable &Services::table() const
{
    return d->table;
}

}  // namespace sg
