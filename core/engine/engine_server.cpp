#include "core/engine/engine_server.h"

#include "core/base/available_memory.h"
#include "core/base/log.h"
#include "core/engine/loading_report.h"
#include "core/engine/process_memory.h"
#include "core/engine/task_sink.h"
#include "core/text/wildcard_folder.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace sg::engine {
namespace {

constexpr std::size_t kMaxJobs = 10'000;
constexpr std::size_t kReadSize = 1u << 16;
/// Each holds its start pictures and a few latents.
constexpr std::size_t kMaxPaused = 16;
/// How long a running step may take to notice that the process ends; after that it ends without it.
constexpr std::chrono::seconds kPatience{5};
/// Without a request for this long, the backend is told so.
constexpr std::chrono::seconds kIdle{10};

Expected<std::string> parseTask(const Json &header)
{
    const auto task = header.find("task");
    if (task == header.end() || !task->is_string())
        return fail(ErrorCode::InvalidArgument, "task must be the id of a request", "task");
    return task->get<std::string>();
}

template <class Jobs>
auto findTask(Jobs &jobs, const std::string &id)
{
    return std::find_if(jobs.begin(), jobs.end(),
                        [&](const auto &job) { return job->id == id && job->kind == EngineJob::Kind::Generate; });
}

}  // namespace

EngineServer::EngineServer(int inFd, int outFd, BackendFactory factory, std::filesystem::path wildcards,
                           const ParamTable &table)
    : m_inFd(inFd), m_wakeFd(eventfd(0, EFD_CLOEXEC)), m_factory(std::move(factory)), m_wildcards(std::move(wildcards)),
      m_table(withEngineBounds(table)), m_outbox(outFd, [this] { wakeReader(); })
{
    if (m_wakeFd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EngineServer::~EngineServer()
{
    finish();
    m_outbox.closeWithin(std::chrono::hours(1));
    ::close(m_wakeFd);
}

void EngineServer::wakeReader()
{
    const std::uint64_t one = 1;
    // The counter of an eventfd takes it, or is already above zero: either way the reader wakes.
    [[maybe_unused]] const ssize_t written = ::write(m_wakeFd, &one, sizeof one);
}

int EngineServer::run()
{
    const bool usable = startBackend();
    if (usable) readLoop();
    finish();
    const int status = usable ? 0 : 1;
    if (!m_outbox.closeWithin(kPatience)) ::_exit(status);
    return status;
}

bool EngineServer::startBackend()
{
    m_worker = std::thread([this] { compute(); });
    const std::vector<Device> devices = listDevices();
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return m_started; });
    if (m_startError) {
        logError("engine", m_startError->message);
        m_outbox.send(errorEvent("", *m_startError));
        return false;
    }
    m_outbox.send(helloEvent("", devices, m_backend->budget()));
    return true;
}

void EngineServer::readLoop()
{
    std::string buffer(kReadSize, '\0');
    while (!m_stopping) {
        pollfd waits[2] = {{m_inFd, POLLIN, 0}, {m_wakeFd, POLLIN, 0}};
        if (::poll(waits, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return;
        }
        if (waits[1].revents) return;
        const ssize_t count = ::read(m_inFd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        m_reader.feed({buffer.data(), static_cast<std::size_t>(count)});
        while (!m_stopping) {
            const std::optional<Expected<Frame>> next = m_reader.next();
            if (!next) break;
            if (*next)
                handle(**next);
            else
                m_outbox.send(errorEvent("", next->error()));
        }
    }
}

void EngineServer::handle(const Frame &frame)
{
    const Json &header = frame.header;
    const auto type = header.at("type").get<std::string>();
    const auto id = header.at("id").get<std::string>();
    if (type == "hello") {
        const Expected<std::optional<std::uint64_t>> budget = parseBudget(header);
        if (!budget) return m_outbox.send(errorEvent(id, budget.error()));
        if (*budget) m_backend->setBudget(**budget);
        m_outbox.send(helloEvent(id, listDevices(), m_backend->budget()));
    } else if (type == "status") {
        answerStatus(id);
    } else if (type == "cancel") {
        cancel(header, id);
    } else if (type == "pause") {
        pause(header, id);
    } else if (type == "resume") {
        resume(header, id);
    } else if (type == "generate" || type == "inspect") {
        generate(frame, id, EngineJob::Kind::Generate);
    } else if (type == "plan") {
        generate(frame, id, EngineJob::Kind::Plan);
    } else if (type == "load") {
        load(header, id);
    } else if (type == "unload") {
        Expected<std::optional<std::string>> path = parseUnload(header);
        if (!path) return m_outbox.send(errorEvent(id, path.error()));
        auto job = std::make_unique<EngineJob>();
        job->kind = EngineJob::Kind::Unload;
        job->id = id;
        job->path = std::move(*path);
        addJob(std::move(job));
    } else if (type == "shutdown") {
        m_outbox.send(event("done", id));
        m_stopping = true;
    } else {
        m_outbox.send(
            errorEvent(id, {ErrorCode::InvalidArgument, "unknown type \"" + type.substr(0, 80) + "\"", "type"}));
    }
}

void EngineServer::load(const Json &header, const std::string &id)
{
    Expected<ModelRef> model = parseModel(header);
    if (!model) return m_outbox.send(errorEvent(id, model.error()));
    const Expected<std::optional<std::uint64_t>> budget = parseBudget(header);
    if (!budget) return m_outbox.send(errorEvent(id, budget.error()));
    if (*budget) m_backend->setBudget(**budget);
    auto job = std::make_unique<EngineJob>();
    job->id = id;
    job->model = std::move(*model);
    addJob(std::move(job));
}

/// Also inspect, which is a generate that shows what it does, and plan, which only says what one would take.
void EngineServer::generate(const Frame &frame, const std::string &id, EngineJob::Kind kind)
{
    WildcardFolder wildcards(m_wildcards);  // read anew for each task
    Expected<GenerateMessage> message = parseGenerate(frame, m_wildcards.empty() ? nullptr : &wildcards, m_table);
    if (!message) return m_outbox.send(errorEvent(id, message.error()));
    if (frame.header.at("type") == "inspect") {
        Expected<Inspection> watch = parseWatch(frame.header);
        if (!watch) return m_outbox.send(errorEvent(id, watch.error()));
        message->inspection = std::move(*watch);
    }
    auto job = std::make_unique<EngineJob>();
    job->kind = kind;
    job->id = id;
    job->model = message->model;
    job->message = std::move(*message);
    addJob(std::move(job));
}

void EngineServer::addJob(std::unique_ptr<EngineJob> job)
{
    std::unique_lock lock(m_mutex);
    const auto same = [&](const auto &other) { return other->id == job->id; };
    if ((m_running && same(m_running)) || std::any_of(m_jobs.begin(), m_jobs.end(), same) ||
        std::any_of(m_paused.begin(), m_paused.end(), same))
        return m_outbox.send(errorEvent(job->id, {ErrorCode::Conflict, "a request with this id waits or runs", "id"}));
    if (m_jobs.size() >= kMaxJobs)
        return m_outbox.send(errorEvent(job->id, {ErrorCode::QueueFull, "too many requests wait", "id"}));
    // Before the worker can take it, so that no event of the task comes earlier.
    if (job->kind == EngineJob::Kind::Generate) m_outbox.send(event("accepted", job->id));
    m_jobs.push_back(std::move(job));
    lock.unlock();
    m_changed.notify_all();
}

void EngineServer::cancel(const Json &header, const std::string &id)
{
    const Expected<std::string> wanted = parseTask(header);
    if (!wanted) return m_outbox.send(errorEvent(id, wanted.error()));
    {
        const std::lock_guard lock(m_mutex);
        if (m_running && m_running->id == *wanted) m_running->stop.request_stop();
        for (Jobs *jobs : {&m_jobs, &m_paused}) {
            const auto found = findTask(*jobs, *wanted);
            if (found == jobs->end()) continue;
            const bool begun = (*found)->parked != nullptr;
            m_outbox.send(
                errorEvent(*wanted, {ErrorCode::Cancelled,
                                     begun ? "the task was cancelled" : "the task was cancelled before it began",
                                     {}}));
            jobs->erase(found);
        }
    }
    m_outbox.send(event("done", id));
}

/// The running task is left at its next step boundary; one that waits does not begin.
void EngineServer::pause(const Json &header, const std::string &id)
{
    const Expected<std::string> wanted = parseTask(header);
    if (!wanted) return m_outbox.send(errorEvent(id, wanted.error()));
    const std::lock_guard lock(m_mutex);
    const auto waiting = findTask(m_jobs, *wanted);
    const bool running = m_running && m_running->id == *wanted && m_running->kind == EngineJob::Kind::Generate;
    if (!running && waiting == m_jobs.end() && findTask(m_paused, *wanted) == m_paused.end())
        return m_outbox.send(errorEvent(id, {ErrorCode::NotFound, "no such task waits or runs", "task"}));
    const EngineJob *const wantedJob = running ? m_running.get() : waiting != m_jobs.end() ? waiting->get() : nullptr;
    if (wantedJob && wantedJob->message.request.loopback.loops > 0)
        return m_outbox.send(
            errorEvent(id, {ErrorCode::InvalidArgument, "a task of loopback cannot be paused", "task"}));
    if ((running || waiting != m_jobs.end()) && m_paused.size() >= kMaxPaused)
        return m_outbox.send(errorEvent(id, {ErrorCode::QueueFull, "too many tasks are paused", "task"}));
    if (running) m_running->pause = true;
    m_outbox.send(event("done", id));
    if (waiting == m_jobs.end()) return;
    std::unique_ptr<EngineJob> job = std::move(*waiting);
    m_jobs.erase(waiting);
    park(std::move(job));
}

void EngineServer::resume(const Json &header, const std::string &id)
{
    const Expected<std::string> wanted = parseTask(header);
    if (!wanted) return m_outbox.send(errorEvent(id, wanted.error()));
    std::unique_lock lock(m_mutex);
    const bool running = m_running && m_running->id == *wanted;
    const auto found = findTask(m_paused, *wanted);
    if (!running && found == m_paused.end() && findTask(m_jobs, *wanted) == m_jobs.end())
        return m_outbox.send(errorEvent(id, {ErrorCode::NotFound, "no such task is paused", "task"}));
    if (running) m_running->pause = false;
    m_outbox.send(event("done", id));
    if (found == m_paused.end()) return;
    (*found)->pause = false;
    m_jobs.push_front(std::move(*found));
    m_paused.erase(found);
    lock.unlock();
    m_changed.notify_all();
}

/// Under the lock.
void EngineServer::park(std::unique_ptr<EngineJob> job)
{
    Json json = event("paused", job->id);
    json["step"] = job->sink ? job->sink->step() : 0;
    json["bytes"] = job->parked ? job->parked->bytes() : 0;
    m_outbox.send(std::move(json));
    m_paused.push_back(std::move(job));
}

void EngineServer::answerStatus(const std::string &id)
{
    Json json = event("status", id);
    {
        const std::lock_guard lock(m_mutex);
        json["busy"] = m_running != nullptr;
        json["task"] = m_running ? m_running->id : std::string();
        json["paused"] = Json::array();
        for (const auto &job : m_paused)
            json["paused"].push_back({{"task", job->id}, {"bytes", job->parked ? job->parked->bytes() : 0}});
    }
    json["models"] = Json::array();
    for (const ResidentModel &model : m_backend->residentModels())
        json["models"].push_back({{"path", model.path},
                                  {"bytes", model.bytes},
                                  {"mapped", model.mapped},
                                  {"vae", model.vae},
                                  {"loras", model.loras}});
    json["budget"] = m_backend->budget();
    json["available"] = availableMemory();
    const ProcessMemory memory = processMemory();
    json["rss"] = memory.resident;
    json["rssAnon"] = memory.anonymous;
    json["peakRss"] = memory.peak;
    m_outbox.send(std::move(json));
}

/// Cancels what runs, drops what waits and ends the computing thread; a step that does not end in time ends with the
/// process.
void EngineServer::finish()
{
    if (!m_worker.joinable()) return;
    std::unique_lock lock(m_mutex);
    m_closing = true;
    for (Jobs *jobs : {&m_jobs, &m_paused}) {
        for (const auto &job : *jobs)
            m_outbox.send(errorEvent(job->id, {ErrorCode::Cancelled, "the engine ends", {}}));
        jobs->clear();
    }
    if (m_running) m_running->stop.request_stop();
    m_changed.notify_all();
    if (!m_changed.wait_for(lock, kPatience, [this] { return m_ended; })) {
        if (m_running) m_outbox.send(errorEvent(m_running->id, {ErrorCode::Cancelled, "the engine ends", {}}));
        m_outbox.closeWithin(kPatience);
        ::_exit(0);
    }
    lock.unlock();
    m_worker.join();
}

void EngineServer::compute()
{
    Expected<std::unique_ptr<Backend>> backend = m_factory();
    {
        const std::lock_guard lock(m_mutex);
        if (backend)
            m_backend = std::move(*backend);
        else
            m_startError = backend.error();
        m_started = true;
    }
    m_changed.notify_all();
    while (m_backend) {
        std::unique_lock lock(m_mutex);
        const auto awaited = [this] { return m_closing || !m_jobs.empty(); };
        if (!m_changed.wait_for(lock, kIdle, awaited)) {
            lock.unlock();
            m_backend->idle();
            lock.lock();
            m_changed.wait(lock, awaited);
        }
        if (m_jobs.empty()) break;
        m_running = std::move(m_jobs.front());
        m_jobs.pop_front();
        lock.unlock();
        std::optional<Json> last = runJob(*m_running);
        lock.lock();
        const std::unique_ptr<EngineJob> ended = leave(last.has_value());
        lock.unlock();
        // Only now: who sees the task's last event must find the engine idle.
        if (last) m_outbox.send(std::move(*last));
    }
    {
        // The backend's thread-local state belongs to this thread, so it ends here.
        const std::unique_ptr<Backend> last = std::move(m_backend);
        const std::lock_guard lock(m_mutex);
        m_ended = true;
    }
    m_changed.notify_all();
}

/// Nothing runs any more: what ran has ended and is returned, or was left. Under the lock.
std::unique_ptr<EngineJob> EngineServer::leave(bool ended)
{
    std::unique_ptr<EngineJob> job = std::move(m_running);
    if (ended) return job;
    if (m_closing)
        m_outbox.send(errorEvent(job->id, {ErrorCode::Cancelled, "the engine ends", {}}));
    else if (job->stop.stop_requested())
        m_outbox.send(errorEvent(job->id, {ErrorCode::Cancelled, "the task was cancelled", {}}));
    else if (!job->pause)  // resumed before it was left
        m_jobs.push_front(std::move(job));
    else
        park(std::move(job));
    return nullptr;
}

/// The last event, or nothing when the task was left.
std::optional<Json> EngineServer::runJob(EngineJob &job)
{
    switch (job.kind) {
    case EngineJob::Kind::Generate:
        return runGenerate(job);
    case EngineJob::Kind::Load:
        return runLoad(job);
    case EngineJob::Kind::Plan: {
        if (const Expected<void> decoded = decodePictures(job.message); !decoded)
            return errorEvent(job.id, decoded.error());
        const Expected<MemoryPlan> plan = m_backend->plan(job.model, job.message.request);
        return plan ? planEvent(job.id, *plan) : errorEvent(job.id, plan.error());
    }
    case EngineJob::Kind::Unload:
        m_backend->unload(job.path);
        break;
    }
    return event("done", job.id);
}

Json EngineServer::runLoad(EngineJob &job)
{
    const auto start = std::chrono::steady_clock::now();
    const Expected<LoadReport> loaded =
        m_backend->load(job.model, LoadingReport(job.id, m_outbox), job.stop.get_token());
    if (!loaded) return errorEvent(job.id, loaded.error());
    Json json = event("loaded", job.id);
    json["model"] = job.model.path;
    json["family"] = loaded->family;
    json["bytes"] = loaded->bytes;
    json["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    json["warnings"] = loaded->warnings;
    json["reasons"] = loaded->reasons;
    return json;
}

std::optional<Json> EngineServer::runGenerate(EngineJob &job)
{
    if (job.parked) {
        job.sink->goOn();
    } else {
        if (const Expected<void> decoded = decodePictures(job.message); !decoded)
            return errorEvent(job.id, decoded.error());
        job.sink = std::make_unique<TaskSink>(job.id, job.message, m_table, job.pause, m_outbox);
    }
    const TaskSink &sink = *job.sink;
    Expected<std::unique_ptr<ParkedRun>> made =
        m_backend->generate(job.model, job.message.request, *job.sink, job.stop.get_token(), job.parked.get());
    if (!made) return errorEvent(job.id, made.error());
    job.parked = std::move(*made);
    if (job.parked) {
        job.sink->paused();
        return std::nullopt;
    }
    Json json = event("done", job.id);
    if (!sink.warnings().empty()) json["warnings"] = sink.warnings();
    if (!sink.reasons().empty()) json["reasons"] = sink.reasons();
    json["images"] = sink.images();
    json["seconds"] = sink.seconds();
    return json;
}

}  // namespace sg::engine
