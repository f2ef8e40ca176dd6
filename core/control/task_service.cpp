#include "core/control/task_service.h"

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/control/scheduler.h"
#include "core/control/task_inputs.h"
#include "core/storage/courier.h"
#include "core/storage/data_dir_lock.h"

#include <QMetaObject>
#include <QThread>

#include <atomic>
#include <mutex>

namespace sg {
namespace {

constexpr std::size_t kTasksPerCommit = 256;

AgentConfig agentConfig(const TaskServiceConfig &config)
{
    AgentConfig agent = config.agent;
    agent.program = QString::fromStdString(config.engineProgram.string());
    for (const std::string &argument : config.engineArguments)
        agent.arguments << QString::fromStdString(argument);
    return agent;
}

Error notRunning()
{
    return {ErrorCode::Unavailable, "the task service is not running", {}};
}

}  // namespace

class TaskService::Private {
public:
    struct Submission {
        NewTask task;
        PendingReply<TaskRecord> reply;
    };
    /// What exists between start() and stop(), in the io thread.
    struct Running {
        Running(std::shared_ptr<DataDirLock> heldLock, std::unique_ptr<Database> opened, ObjectStore store, Private &p)
            : lock(std::move(heldLock)), database(std::move(opened)), objects(std::move(store)),
              queue(*database, p.waiting, *p.config.table, {p.config.maxWaiting, p.config.maxWaitingPerUser}),
              scheduler({queue, p.waiting, p.board, objects, p.library, *p.config.table}, agentConfig(p.config),
                        p.config.maxAttempts)
        {
        }
        std::shared_ptr<DataDirLock> lock;
        std::unique_ptr<Database> database;
        ObjectStore objects;
        TaskQueue queue;
        Scheduler scheduler;
    };

    Private(TaskService *service, TaskServiceConfig serviceConfig, ModelLibrary &modelLibrary)
        : q(service), config(std::move(serviceConfig)), library(modelLibrary)
    {
    }

    /// Runs `function` in the io thread and waits for it.
    template <class Function>
    auto inIoThread(Function function)
    {
        using Result = std::invoke_result_t<Function>;
        if (QThread::currentThread() == q->thread() || !q->thread()->isRunning()) return function();
        if constexpr (std::is_void_v<Result>) {
            QMetaObject::invokeMethod(q, function, Qt::BlockingQueuedConnection);
        } else {
            std::optional<Result> result;
            QMetaObject::invokeMethod(
                q, [&] { result.emplace(function()); }, Qt::BlockingQueuedConnection);
            return std::move(*result);
        }
    }

    /// Runs `function(running)` in the io thread, later; without a running service the reply is Unavailable.
    template <class T, class Function>
    void post(PendingReply<T> reply, Function function)
    {
        QMetaObject::invokeMethod(
            q,
            [this, reply = std::move(reply), function = std::move(function)] {
                if (!running)
                    reply(Unexpected{notRunning()});
                else
                    function(*running, reply);
            },
            Qt::QueuedConnection);
    }

    Expected<void> start();
    void stop();
    void storeSubmissions();
    std::vector<Submission> takeSubmissions();
    Expected<void> storePictures(const NewTask &task);
    void dropPictures(const NewTask &task);

    TaskService *q;
    TaskServiceConfig config;
    ModelLibrary &library;
    WaitingList waiting;
    ProgressBoard board;
    std::atomic<bool> ready{false};
    std::mutex mutex;
    std::vector<Submission> submissions;
    std::unique_ptr<Running> running;
};

Expected<void> TaskService::Private::start()
{
    if (running) return {};
    Expected<std::shared_ptr<DataDirLock>> lock = DataDirLock::acquire(config.dataDir);
    if (!lock) return Unexpected{lock.error()};
    Expected<std::unique_ptr<Database>> database = Database::open(config.dataDir / "serigraph.db");
    if (!database) return Unexpected{database.error()};
    Expected<ObjectStore> objects = ObjectStore::open(config.dataDir / "objects");
    if (!objects) return Unexpected{objects.error()};
    auto made = std::make_unique<Running>(std::move(*lock), std::move(*database), std::move(*objects), *this);
    const Expected<int> recovered = made->queue.recover();
    if (!recovered) return Unexpected{recovered.error()};
    if (*recovered > 0)
        logInfo("queue", std::to_string(*recovered) + " tasks that an earlier run left running wait again");
    const int orphaned = removeOrphanedInputs(made->objects, [&](const std::string &id) {
        const Expected<TaskRecord> task = made->queue.find(id);
        return task || task.error().code != ErrorCode::NotFound;
    });
    if (orphaned > 0)
        logInfo("queue", "removed the start pictures of " + std::to_string(orphaned) + " tasks that were never stored");
    running = std::move(made);
    connect(&running->scheduler, &Scheduler::taskChanged, q, &TaskService::taskChanged);
    connect(&running->scheduler, &Scheduler::progressChanged, q, &TaskService::progressChanged);
    connect(&running->scheduler, &Scheduler::readyChanged, q, [this](bool value) { ready = value; });
    running->scheduler.start();
    return {};
}

void TaskService::Private::stop()
{
    if (!running) return;
    storeSubmissions();
    running->scheduler.stop();
    ready = false;
    running.reset();
    waiting.clear();
}

std::vector<TaskService::Private::Submission> TaskService::Private::takeSubmissions()
{
    std::vector<Submission> taken;
    const std::lock_guard lock(mutex);
    const std::size_t count = std::min(submissions.size(), kTasksPerCommit);
    const auto end = submissions.begin() + static_cast<std::ptrdiff_t>(count);
    taken.assign(std::make_move_iterator(submissions.begin()), std::make_move_iterator(end));
    submissions.erase(submissions.begin(), end);
    if (!submissions.empty())
        QMetaObject::invokeMethod(
            q, [this] { storeSubmissions(); }, Qt::QueuedConnection);
    return taken;
}

/// A task that is there keeps its own pictures: the same ones, when the request is the same.
Expected<void> TaskService::Private::storePictures(const NewTask &task)
{
    if (task.pictures.empty() || running->queue.find(task.id)) return {};
    return storeInputs(running->objects, task);
}

void TaskService::Private::dropPictures(const NewTask &task)
{
    if (task.pictures.empty()) return;
    const Expected<TaskRecord> there = running->queue.find(task.id);
    if (!there && there.error().code != ErrorCode::NotFound) return;  // the next start looks again
    removeInputs(running->objects, task, inputsOf(there ? there->params : Json::object(), *config.table));
}

/// All that came since the last time goes into one commit: under load its cost is shared.
void TaskService::Private::storeSubmissions()
{
    std::vector<Submission> taken = takeSubmissions();
    if (taken.empty()) return;
    if (!running) {
        for (const Submission &submission : taken)
            submission.reply(Unexpected{notRunning()});
        return;
    }
    std::erase_if(taken, [this](const Submission &submission) {
        const Expected<void> stored = storePictures(submission.task);
        if (!stored) submission.reply(Unexpected{stored.error()});
        return !stored;
    });
    std::vector<NewTask> tasks;
    for (Submission &submission : taken)
        tasks.push_back(std::move(submission.task));
    std::vector<Expected<TaskQueue::Insertion>> answers = running->queue.insert(tasks);
    for (std::size_t i = 0; i < taken.size(); ++i) {
        if (!answers[i]) {
            dropPictures(tasks[i]);
            taken[i].reply(Unexpected{answers[i].error()});
            continue;
        }
        if (answers[i]->isNew)
            Q_EMIT q->taskChanged(QString::fromStdString(tasks[i].id), static_cast<int>(TaskState::Waiting));
        taken[i].reply(std::move(answers[i]->record));
    }
    running->scheduler.wake();
}

TaskService::TaskService(TaskServiceConfig config, ModelLibrary &library, QObject *parent)
    : QObject(parent), d(std::make_unique<Private>(this, std::move(config), library))
{
}

TaskService::~TaskService()
{
    stop();
}

Expected<void> TaskService::start()
{
    return d->inIoThread([this] { return d->start(); });
}

void TaskService::stop()
{
    d->inIoThread([this] { d->stop(); });
}

void TaskService::submit(NewTask task, QObject *context, Reply<TaskRecord> reply)
{
    PendingReply<TaskRecord> pending(context, std::move(reply));
    if (task.id.empty()) task.id = randomId();
    if (!isTaskId(task.id)) {
        pending(fail(ErrorCode::InvalidArgument, "taskId must match [A-Za-z0-9_][A-Za-z0-9_-]{0,127}", "taskId"));
        return;
    }
    if (Expected<void> user = ObjectStore::checkPart(task.user); !user) {
        pending(fail(ErrorCode::InvalidArgument, "username is " + user.error().message, "username"));
        return;
    }
    bool first = false;
    {
        const std::lock_guard lock(d->mutex);
        first = d->submissions.empty();
        d->submissions.push_back({std::move(task), std::move(pending)});
    }
    if (first)
        QMetaObject::invokeMethod(
            this, [this] { d->storeSubmissions(); }, Qt::QueuedConnection);
}

void TaskService::find(const std::string &id, QObject *context, Reply<TaskRecord> reply)
{
    d->post<TaskRecord>({context, std::move(reply)},
                        [id](Private::Running &running, const auto &answer) { answer(running.queue.find(id)); });
}

void TaskService::cancel(const std::string &id, QObject *context, Reply<TaskRecord> reply)
{
    d->post<TaskRecord>({context, std::move(reply)},
                        [id](Private::Running &running, const auto &answer) { running.scheduler.cancel(id, answer); });
}

void TaskService::list(int limit, int offset, QObject *context, Reply<std::vector<TaskRecord>> reply)
{
    d->post<std::vector<TaskRecord>>(
        {context, std::move(reply)},
        [limit, offset](Private::Running &running, const auto &answer) { answer(running.queue.list(limit, offset)); });
}

void TaskService::readObject(const std::string &path, QObject *context, Reply<std::string> reply)
{
    d->post<std::string>({context, std::move(reply)},
                         [path](Private::Running &running, const auto &answer) { answer(running.objects.read(path)); });
}

std::optional<TaskProgress> TaskService::progress(const std::string &id) const
{
    if (std::optional<TaskProgress> known = d->board.find(id)) return known;
    const std::optional<int> ahead = d->waiting.position(id);
    if (!ahead) return std::nullopt;
    TaskProgress progress;
    progress.position = *ahead + (d->board.running().empty() ? 0 : 1);
    return progress;
}

std::string TaskService::runningTask() const
{
    return d->board.running();
}

int TaskService::waitingCount() const
{
    return d->waiting.count();
}

bool TaskService::engineReady() const
{
    return d->ready;
}

void TaskService::interrupt()
{
    if (const std::string id = d->board.running(); !id.empty()) cancel(id, nullptr, {});
}

}  // namespace sg
