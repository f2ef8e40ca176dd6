#include "core/control/scheduler.h"

#include "core/base/log.h"
#include "core/control/task_inputs.h"
#include "core/models/model_companions.h"
#include "core/models/model_library.h"
#include "core/params/coding_rows.h"

#include <QDateTime>

#include <algorithm>
#include <array>
#include <utility>

namespace sg {
namespace {

constexpr int kProgressMs = 50;
constexpr int kRetryMs = 1000;
/// Waiting tasks whose checkpoints stay in the engine as long as anything else can go.
constexpr std::size_t kLookAhead = 4;
constexpr int kModelPollMs = 200;
/// After a start the folders of the command line may not have been scanned yet.
constexpr int kFoldersMs = 10'000;
/// A hash belongs into the infotext, but a big file's is not worth a wait.
constexpr std::uint64_t kHashWorthWaiting = 256u << 20;
constexpr int kHashWaitMs = 5'000;

template <class T>
T integerOf(const Json &header, const char *key, T otherwise)
{
    const auto it = header.find(key);
    return it != header.end() && it->is_number_integer() ? it->get<T>() : otherwise;
}

std::vector<std::string> textsOf(const Json &header, const char *key)
{
    std::vector<std::string> texts;
    if (const auto it = header.find(key); it != header.end() && it->is_array())
        for (const Json &text : *it)
            if (text.is_string()) texts.push_back(text.get<std::string>());
    return texts;
}

Json modelJson(const ModelRecord &model)
{
    Json json{{"path", model.path}, {"name", model.name}};
    if (!model.sha256.empty()) json["hash"] = model.sha256;
    if (model.choices.any()) json["choices"] = choicesJson(model.choices);
    return json;
}

/// What the request asked for and cannot have is told to who sent it; the server has no trouble then.
void logFailure(const std::string &task, const Error &error)
{
    constexpr std::array kOfRequests{ErrorCode::InvalidArgument, ErrorCode::NotFound, ErrorCode::TooLarge};
    const bool expected = std::find(kOfRequests.begin(), kOfRequests.end(), error.code) != kOfRequests.end();
    Log::instance().write(expected ? LogLevel::Info : LogLevel::Warning, "queue",
                          "task " + task + " failed: " + error.message);
}

/// What the task's texts may ask for beside the checkpoint.
CompanionQuery companionsOf(const TaskRecord &task)
{
    CompanionQuery query;
    if (const auto vae = task.params.find("sd_vae"); vae != task.params.end() && vae->is_string())
        query.vae = vae->get<std::string>();
    query.upscaler = task.params.value(task.params.value("enable_hr", false) ? "hr_upscaler" : "upscaler_for_img2img",
                                       std::string());
    if (const auto previews = task.params.find("show_progress_type"); previews != task.params.end())
        query.taesd = *previews == kPreviewTiny;
    for (const auto &[key, value] : task.params.items()) {
        if (value.is_string() && key.find("prompt") != std::string::npos)
            query.texts.push_back(value.get<std::string>());
    }
    return query;
}

}  // namespace

Scheduler::Scheduler(Parts parts, AgentConfig agent, int maxAttempts, QObject *parent)
    : QObject(parent), m_parts(parts), m_agent(std::move(agent)), m_maxAttempts(maxAttempts)
{
    m_retry.setSingleShot(true);
    m_progress.setSingleShot(true);
    connect(&m_retry, &QTimer::timeout, this, [this] {
        if (m_run && m_run->outcome)
            commitOutcome();
        else
            wake();
    });
    connect(&m_progress, &QTimer::timeout, this, [this] {
        if (m_run) Q_EMIT progressChanged(QString::fromStdString(m_run->task.id));
    });
    connect(&m_agent, &Agent::readyChanged, this, [this](bool ready) {
        Q_EMIT readyChanged(ready);
        wake();
    });
    connect(&m_agent, &Agent::progressed, this, [this](const std::string &run, const Json &event) {
        if (!isCurrent(run)) return;
        m_parts.board.advance(m_run->task.id, event);
        noteProgress();
    });
    connect(&m_agent, &Agent::loading, this, [this](const std::string &run, const Json &event) {
        if (!isCurrent(run)) return;
        m_parts.board.load(m_run->task.id, event);
        noteProgress();
    });
    connect(&m_agent, &Agent::previewed, this, [this](const std::string &run, const Frame &frame) {
        if (!isCurrent(run)) return;
        m_parts.board.preview(m_run->task.id, frame.payload);
        noteProgress();
    });
    connect(&m_agent, &Agent::imageArrived, this, [this](const std::string &run, const Frame &frame) {
        if (isCurrent(run)) storeImage(frame);
    });
    connect(&m_agent, &Agent::finished, this, [this](const std::string &run, const Json &done) {
        if (!isCurrent(run)) return;
        for (std::string &warning : textsOf(done, "warnings"))
            m_run->warnings.push_back(std::move(warning));
        runFinished();
    });
    connect(&m_agent, &Agent::refused, this, [this](const std::string &run, const Error &error) {
        if (isCurrent(run)) runRefused(error);
    });
    connect(&m_agent, &Agent::modelsReported, this, &Scheduler::noteModels);
    connect(&m_agent, &Agent::died, this, [this](const std::string &run, const Error &error, bool taken) {
        if (isCurrent(run)) runDied(error, taken);
    });
}

Scheduler::~Scheduler() = default;

void Scheduler::start()
{
    m_stopping = false;
    m_startedMs = QDateTime::currentMSecsSinceEpoch();
    connect(&m_parts.library, &ModelLibrary::changed, this, &Scheduler::wake, Qt::QueuedConnection);
    m_agent.start();
}

void Scheduler::stop()
{
    if (m_stopping) return;
    m_stopping = true;
    m_retry.stop();
    if (m_run && !m_run->outcome) {
        const bool cancelled = m_run->cancelRequested;
        conclude(cancelled ? Outcome{TaskState::Cancelled, {ErrorCode::Cancelled, "cancelled", {}}}
                           : Outcome{TaskState::Waiting, {}});
    } else if (m_run) {
        commitOutcome();
    }
    m_retry.stop();
    m_agent.stop();
    for (const Waiter &waiter : std::exchange(m_waiters, {}))
        waiter.reply(m_parts.queue.find(waiter.id));
}

void Scheduler::retryIn(int ms)
{
    if (!m_stopping && !m_retry.isActive()) m_retry.start(ms);
}

void Scheduler::noteProgress()
{
    if (!m_progress.isActive()) m_progress.start(kProgressMs);
}

void Scheduler::noteModels(const std::vector<std::string> &paths)
{
    const std::set<std::string> now(paths.begin(), paths.end());
    for (const std::string &path : now)
        if (!m_loaded.contains(path)) m_parts.library.setLoaded(path, true);
    for (const std::string &path : m_loaded)
        if (!now.contains(path)) m_parts.library.setLoaded(path, false);
    m_loaded = now;
}

void Scheduler::wake()
{
    while (!m_run && !m_stopping && m_agent.ready()) {
        const std::optional<std::string> id = m_parts.waiting.front();
        if (!id) return;
        const Expected<TaskRecord> task = m_parts.queue.find(*id);
        if (!task) {
            logError("queue", "task " + *id + " cannot be read: " + task.error().message);
            retryIn(kRetryMs);
            return;
        }
        const Expected<std::optional<ModelRecord>> model = resolveModel(*task);
        const Expected<std::optional<OtherModels>> others = otherModels(*task);
        if (!model)
            refuse(*task, model.error());
        else if (!others)
            refuse(*task, others.error());
        else if (!*model || !*others)
            return retryIn(kModelPollMs);
        else
            begin(*task, **model, **others);
        if (m_retry.isActive()) return;
    }
}

/// The checkpoint of that name, nothing when it may come soon, or the reason why it cannot be used. `row`: who names
/// it.
Expected<std::optional<ModelRecord>> Scheduler::findCheckpoint(const std::string &name, const char *row) const
{
    std::optional<ModelRecord> model = m_parts.library.find(name, "stableDiffusion");
    if (!model) {
        model = m_parts.library.find(name);
        if (model && model->status != "unusable") model.reset();
    }
    if (!model) {
        if (m_parts.library.scanning() || QDateTime::currentMSecsSinceEpoch() - m_startedMs < kFoldersMs)
            return std::optional<ModelRecord>();
        return fail(ErrorCode::NotFound, "the model " + name + " is no longer in the model folders", row);
    }
    if (model->status == "unusable")
        return fail(ErrorCode::UnusableFile, "the model " + name + " cannot be used: " + model->reason, model->path);
    return model;
}

/// The model, nothing when it may come soon, or the reason why the task cannot run.
Expected<std::optional<ModelRecord>> Scheduler::resolveModel(const TaskRecord &task)
{
    Expected<std::optional<ModelRecord>> found = findCheckpoint(task.model, "stable_diffusion_model");
    if (!found || !*found) return found;
    const std::optional<ModelRecord> &model = *found;
    if (!model->sha256.empty() || model->size > kHashWorthWaiting) return model;
    if (m_hashWaitFor != model->path) {
        m_hashWaitFor = model->path;
        m_hashWaitMs = QDateTime::currentMSecsSinceEpoch();
        m_parts.library.hashSoon(model->path);
    }
    if (QDateTime::currentMSecsSinceEpoch() - m_hashWaitMs < kHashWaitMs) return std::optional<ModelRecord>();
    return model;
}

/// Refiner and hires fix's checkpoint, by their names in the engine's message; nothing when one may come soon.
Expected<std::optional<Scheduler::OtherModels>> Scheduler::otherModels(const TaskRecord &task) const
{
    OtherModels found;
    for (const auto &[key, row] : {std::pair("refiner", "refiner_checkpoint"), {"hires", "hr_checkpoint_name"}}) {
        const std::string name = task.params.value(row, std::string());
        if (name.empty()) continue;
        Expected<std::optional<ModelRecord>> model = findCheckpoint(name, row);
        if (!model) return Unexpected{model.error()};
        if (!*model) return std::optional<OtherModels>();
        found.emplace(key, std::move(**model));
    }
    return std::optional(std::move(found));
}

void Scheduler::refuse(const TaskRecord &task, const Error &error)
{
    removeImages(task);
    const Expected<TaskRecord> ended = m_parts.queue.end(task.id, TaskState::Waiting, TaskState::Failed, error);
    if (ended) {
        logFailure(task.id, error);
        announce(*ended);
        return;
    }
    logError("queue", "task " + task.id + " cannot be ended: " + ended.error().message);
    retryIn(kRetryMs);
}

/// The task's start pictures, as the engine gets them.
Expected<std::vector<AgentPicture>> Scheduler::readInputs(const TaskRecord &task) const
{
    std::vector<AgentPicture> pictures;
    for (auto &[row, name] : inputsOf(task.params, m_parts.table)) {
        Expected<std::string> bytes = m_parts.objects.read(name);
        if (!bytes) {
            const auto before = std::count_if(pictures.begin(), pictures.end(),
                                              [&row = row](const AgentPicture &picture) { return picture.row == row; });
            const std::string place = row == "init_images" ? row + "[" + std::to_string(before) + "]" : row;
            return fail(bytes.error().code,
                        "the task's start picture " + place + " cannot be read: " + bytes.error().message, row);
        }
        pictures.push_back({row, std::move(*bytes)});
    }
    return pictures;
}

/// Paths of the checkpoints of the tasks that come next: the engine must not let these go for others.
std::vector<std::string> Scheduler::wantedNext()
{
    std::vector<std::string> paths;
    for (const std::string &id : m_parts.waiting.first(kLookAhead)) {
        const Expected<TaskRecord> task = m_parts.queue.find(id);
        if (!task) continue;
        const std::optional<ModelRecord> model = m_parts.library.find(task->model, "stableDiffusion");
        if (model && std::find(paths.begin(), paths.end(), model->path) == paths.end()) paths.push_back(model->path);
    }
    return paths;
}

void Scheduler::begin(const TaskRecord &task, const ModelRecord &model, const OtherModels &others)
{
    const Expected<std::vector<AgentPicture>> pictures = readInputs(task);
    if (!pictures) return refuse(task, pictures.error());
    Expected<TaskRecord> claimed = m_parts.queue.claim(task.id);
    if (!claimed) {
        logError("queue", "task " + task.id + " cannot be started: " + claimed.error().message);
        // The claim may have been committed although its answer was an error.
        (void)m_parts.queue.release(task.id, false);
        (void)m_parts.queue.refresh(task.id);
        retryIn(kRetryMs);
        return;
    }
    Run run;
    run.id = task.id + "#" + std::to_string(++m_runs);
    run.images.resize(static_cast<std::size_t>(imageCount(*claimed)));
    run.task = std::move(*claimed);
    m_run = std::move(run);
    m_parts.board.start(m_run->task.id, static_cast<int>(m_run->images.size()));
    Q_EMIT taskChanged(QString::fromStdString(m_run->task.id), static_cast<int>(TaskState::Running));
    m_parts.library.setBusy(true);
    Json named = modelJson(model);
    for (const auto &[key, other] : others)
        named[key] = modelJson(other);
    const CompanionQuery query = companionsOf(m_run->task);
    named.update(modelCompanions(m_parts.library.models(), model, query));
    if (query.namesVae() && !named.contains("vae"))
        m_run->warnings.push_back("there is no VAE named \"" + query.vae + "\": the checkpoint's own was used");
    m_agent.generate(m_run->id, named, m_run->task.params, *pictures, wantedNext());
}

void Scheduler::storeImage(const Frame &frame)
{
    const auto index = integerOf<std::int64_t>(frame.header, "index", -1);
    const auto infotext = frame.header.find("infotext");
    if (index < 0 || index >= static_cast<std::int64_t>(m_run->images.size()) || frame.payload.empty()) {
        m_agent.abandon(m_run->id);
        conclude({TaskState::Failed,
                  {ErrorCode::EngineFailed, "the engine sent a picture that was not asked for", "image"}});
        return;
    }
    TaskImage image{imagePath(m_run->task, static_cast<int>(index)),
                    {},
                    integerOf<std::int64_t>(frame.header, "seed", 0),
                    integerOf<std::int64_t>(frame.header, "subseed", 0)};
    if (infotext != frame.header.end() && infotext->is_string()) image.infotext = infotext->get<std::string>();
    if (Expected<void> stored = m_parts.objects.write(image.path, frame.payload); !stored) {
        m_agent.abandon(m_run->id);
        Error error = stored.error();
        error.message = "the picture could not be stored: " + error.message;
        conclude({TaskState::Failed, std::move(error)});
        return;
    }
    m_run->images[static_cast<std::size_t>(index)] = std::move(image);
}

void Scheduler::runFinished()
{
    const bool complete =
        std::all_of(m_run->images.begin(), m_run->images.end(), [](const auto &image) { return image.has_value(); });
    if (complete)
        conclude({TaskState::Succeeded, {}});
    else
        conclude({TaskState::Failed, {ErrorCode::EngineFailed, "the engine finished without all pictures", "image"}});
}

void Scheduler::runRefused(const Error &error)
{
    if (error.code != ErrorCode::Cancelled) {
        conclude({TaskState::Failed, error});
        return;
    }
    // An engine that cancels by itself is shutting down: somebody ends it.
    if (m_run->cancelRequested)
        conclude({TaskState::Cancelled, error});
    else
        runDied({ErrorCode::EngineFailed, "the engine gave the task up", "engine"}, true);
}

void Scheduler::runDied(const Error &error, bool taken)
{
    if (m_run->cancelRequested) {
        conclude({TaskState::Cancelled, {ErrorCode::Cancelled, "cancelled", {}}});
        return;
    }
    // An engine that ended after the task before, unnoticed until now. Once: the task may be what ends it so early.
    if (!taken && std::exchange(m_notTaken, m_run->task.id) != m_run->task.id) {
        logWarning("queue", "task " + m_run->task.id + ": " + error.message + "; it had not begun");
        conclude({TaskState::Waiting, error, false});
        return;
    }
    const int deaths = m_run->task.attempts + 1;
    if (deaths < m_maxAttempts) {
        logWarning("queue", "task " + m_run->task.id + ": " + error.message + "; attempt " +
                                std::to_string(deaths + 1) + " of " + std::to_string(m_maxAttempts) + " follows");
        conclude({TaskState::Waiting, error, true});
        return;
    }
    logError("queue", "the engine's last lines: " + m_agent.lastLines());
    Error last = error;
    last.message =
        "the engine failed " + std::to_string(deaths) + " times during this task; the last time: " + error.message;
    conclude({TaskState::Failed, std::move(last), true});
}

void Scheduler::conclude(Outcome outcome)
{
    m_run->outcome = std::move(outcome);
    commitOutcome();
}

/// Brings the outcome into the database; as long as that fails, the run stays where it is and nothing else starts.
void Scheduler::commitOutcome()
{
    const std::string id = m_run->task.id;
    const Outcome &outcome = *m_run->outcome;
    if (outcome.state != TaskState::Succeeded) removeImages(m_run->task);
    Expected<TaskRecord> stored = fail(ErrorCode::Internal, "not stored");
    if (outcome.state == TaskState::Succeeded) {
        std::vector<TaskImage> images;
        for (const auto &image : m_run->images)
            images.push_back(*image);
        stored = m_parts.queue.succeed(id, images, m_run->warnings);
    } else if (outcome.state == TaskState::Waiting) {
        stored = m_parts.queue.release(id, outcome.charged);
    } else {
        stored = m_parts.queue.end(id, TaskState::Running, outcome.state, outcome.error, outcome.charged);
    }
    // The change itself may have been committed and only the reading after it failed.
    if (!stored && stored.error().code == ErrorCode::Conflict) stored = m_parts.queue.refresh(id);
    if (!stored) {
        if (std::exchange(m_lastTrouble, stored.error().message) != stored.error().message)
            logError("queue", "the end of task " + id + " cannot be stored, trying again: " + stored.error().message);
        retryIn(kRetryMs);
        return;
    }
    m_lastTrouble.clear();
    if (outcome.state == TaskState::Failed) logFailure(id, outcome.error);
    m_run.reset();
    m_parts.library.setBusy(false);
    announce(*stored);
    wake();
}

void Scheduler::announce(const TaskRecord &task)
{
    if (isFinal(task.state))
        m_parts.board.end(task.id, task.state);
    else
        m_parts.board.drop(task.id);
    Q_EMIT taskChanged(QString::fromStdString(task.id), static_cast<int>(task.state));
    if (!isFinal(task.state)) return;
    for (std::size_t i = 0; i < m_waiters.size();) {
        if (m_waiters[i].id != task.id) {
            ++i;
            continue;
        }
        const Waiter waiter = std::move(m_waiters[i]);
        m_waiters.erase(m_waiters.begin() + static_cast<std::ptrdiff_t>(i));
        waiter.reply(task);
    }
}

void Scheduler::removeImages(const TaskRecord &task)
{
    if (task.startedMs == 0) return;
    for (int i = 0; i < imageCount(task); ++i)
        if (Expected<void> removed = m_parts.objects.remove(imagePath(task, i)); !removed)
            logError("queue", "a picture of a task without result cannot be removed: " + removed.error().message);
}

void Scheduler::cancel(const std::string &id, Reply reply)
{
    if (m_run && m_run->task.id == id) {
        m_waiters.push_back({id, std::move(reply)});
        if (m_run->outcome || std::exchange(m_run->cancelRequested, true)) return;
        m_agent.cancel(m_run->id);
        return;
    }
    const Expected<TaskRecord> task = m_parts.queue.find(id);
    if (!task || isFinal(task->state)) {
        reply(task);
        return;
    }
    removeImages(*task);
    const Expected<TaskRecord> ended =
        m_parts.queue.end(id, task->state, TaskState::Cancelled, {ErrorCode::Cancelled, "cancelled before it ran", {}});
    if (ended) announce(*ended);
    reply(ended);
}

}  // namespace sg
