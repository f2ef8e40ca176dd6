#include "core/engine/engine_server.h"

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
/// How long a running step may take to notice that the process ends; after that it ends without it.
constexpr std::chrono::seconds kPatience{5};
/// Without a request for this long, the backend is told so.
constexpr std::chrono::seconds kIdle{10};

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
    m_outbox.send(helloEvent("", devices));
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
        m_outbox.send(helloEvent(id, listDevices()));
    } else if (type == "status") {
        answerStatus(id);
    } else if (type == "cancel") {
        cancel(header, id);
    } else if (type == "generate") {
        generate(frame, id);
    } else if (type == "load") {
        Expected<ModelRef> model = parseModel(header);
        if (!model) return m_outbox.send(errorEvent(id, model.error()));
        addJob({.kind = JobKind::Load, .id = id, .model = std::move(*model)});
    } else if (type == "unload") {
        Expected<std::optional<std::string>> path = parseUnload(header);
        if (!path) return m_outbox.send(errorEvent(id, path.error()));
        addJob({.kind = JobKind::Unload, .id = id, .path = std::move(*path)});
    } else if (type == "shutdown") {
        m_outbox.send(event("done", id));
        m_stopping = true;
    } else {
        m_outbox.send(
            errorEvent(id, {ErrorCode::InvalidArgument, "unknown type \"" + type.substr(0, 80) + "\"", "type"}));
    }
}

void EngineServer::generate(const Frame &frame, const std::string &id)
{
    WildcardFolder wildcards(m_wildcards);  // read anew for each task
    Expected<GenerateMessage> message = parseGenerate(frame, m_wildcards.empty() ? nullptr : &wildcards, m_table);
    if (!message) return m_outbox.send(errorEvent(id, message.error()));
    addJob({.kind = JobKind::Generate, .id = id, .model = message->model, .message = std::move(*message)});
}

void EngineServer::addJob(Job job)
{
    std::unique_lock lock(m_mutex);
    const auto same = [&](const Job &other) { return other.id == job.id; };
    if ((m_running && same(*m_running)) || std::any_of(m_jobs.begin(), m_jobs.end(), same))
        return m_outbox.send(errorEvent(job.id, {ErrorCode::Conflict, "a request with this id waits or runs", "id"}));
    if (m_jobs.size() >= kMaxJobs)
        return m_outbox.send(errorEvent(job.id, {ErrorCode::QueueFull, "too many requests wait", "id"}));
    // Before the worker can take it, so that no event of the task comes earlier.
    if (job.kind == JobKind::Generate) m_outbox.send(event("accepted", job.id));
    m_jobs.push_back(std::move(job));
    lock.unlock();
    m_changed.notify_all();
}

void EngineServer::cancel(const Json &header, const std::string &id)
{
    const auto task = header.find("task");
    if (task == header.end() || !task->is_string())
        return m_outbox.send(errorEvent(id, {ErrorCode::InvalidArgument, "task must be the id of a request", "task"}));
    const std::string wanted = task->get<std::string>();
    {
        const std::lock_guard lock(m_mutex);
        if (m_running && m_running->id == wanted) m_running->stop.request_stop();
        const auto waiting = std::find_if(m_jobs.begin(), m_jobs.end(), [&](const Job &job) {
            return job.id == wanted && job.kind == JobKind::Generate;
        });
        if (waiting != m_jobs.end()) {
            m_outbox.send(errorEvent(wanted, {ErrorCode::Cancelled, "the task was cancelled before it began", {}}));
            m_jobs.erase(waiting);
        }
    }
    m_outbox.send(event("done", id));
}

void EngineServer::answerStatus(const std::string &id)
{
    Json json = event("status", id);
    {
        const std::lock_guard lock(m_mutex);
        json["busy"] = m_running.has_value();
        json["task"] = m_running ? m_running->id : std::string();
    }
    json["models"] = Json::array();
    for (const ResidentModel &model : m_backend->residentModels())
        json["models"].push_back({{"path", model.path}, {"bytes", model.bytes}});
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
    for (const Job &job : m_jobs)
        m_outbox.send(errorEvent(job.id, {ErrorCode::Cancelled, "the engine ends", {}}));
    m_jobs.clear();
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
        Json last = runJob(*m_running);
        lock.lock();
        m_running.reset();
        lock.unlock();
        // Only now: who sees the task's last event must find the engine idle.
        m_outbox.send(std::move(last));
    }
    {
        // The backend's thread-local state belongs to this thread, so it ends here.
        const std::unique_ptr<Backend> last = std::move(m_backend);
        const std::lock_guard lock(m_mutex);
        m_ended = true;
    }
    m_changed.notify_all();
}

Json EngineServer::runJob(Job &job)
{
    if (job.kind == JobKind::Generate) return runGenerate(job);
    if (job.kind == JobKind::Unload) {
        m_backend->unload(job.path);
        return event("done", job.id);
    }
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

Json EngineServer::runGenerate(Job &job)
{
    if (const Expected<void> decoded = decodePictures(job.message); !decoded)
        return errorEvent(job.id, decoded.error());
    TaskSink sink(job.id, job.message, m_table, m_outbox);
    const Expected<void> made = m_backend->generate(job.model, job.message.request, sink, job.stop.get_token());
    if (!made) return errorEvent(job.id, made.error());
    Json json = event("done", job.id);
    if (!sink.warnings().empty()) json["warnings"] = sink.warnings();
    json["images"] = sink.images();
    json["seconds"] = sink.seconds();
    return json;
}

}  // namespace sg::engine
