#include "core/control/agent.h"

#include "core/base/log.h"
#include "core/base/version.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QProcess>
#include <QProcessEnvironment>
#include <QTimer>

#include <algorithm>
#include <deque>

namespace sg {
namespace {

constexpr std::size_t kKeptLines = 20;
constexpr std::size_t kLongestLine = 4096;

std::string field(const Json &header, const char *key)
{
    const auto it = header.find(key);
    return it != header.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Error engineFailed(std::string message)
{
    return {ErrorCode::EngineFailed, std::move(message), "engine"};
}

}  // namespace

class Agent::Private {
public:
    Private(Agent *agent, AgentConfig agentConfig) : q(agent), config(std::move(agentConfig))
    {
        for (QTimer *timer : {&startTimer, &silenceTimer, &cancelTimer, &restartTimer})
            timer->setSingleShot(true);
        QObject::connect(&restartTimer, &QTimer::timeout, q, [this] { launch(); });
        QObject::connect(&startTimer, &QTimer::timeout, q, [this] {
            end(engineFailed("the engine said nothing for " + seconds(config.startMs) + " after its start"));
        });
        QObject::connect(&silenceTimer, &QTimer::timeout, q, [this] {
            end(engineFailed("the engine gave no sign of life for " + seconds(silenceTimer.interval())));
        });
        QObject::connect(&cancelTimer, &QTimer::timeout, q, [this] {
            end(engineFailed("the engine did not cancel within " + seconds(cancelTimer.interval())));
        });
    }

    static std::string seconds(int ms) { return std::to_string((ms + 500) / 1000) + " s"; }

    void launch();
    void end(const Error &reason);
    void processEnded(const Error &reason);
    void readFrames();
    void readLines(bool all);
    void handle(Frame &frame);
    void hello(const Json &header);
    void sign();
    void finishRun();
    void report(const Json &header);
    void setReady(bool value);
    void send(const Json &header, std::string_view payload = {});
    QString describeExit() const;

    Agent *q;
    AgentConfig config;
    QProcess *process = nullptr;
    FrameReader reader;
    QByteArray partialLine;
    std::deque<std::string> lines;
    QTimer startTimer, silenceTimer, cancelTimer, restartTimer;
    QElapsedTimer sinceStep;
    qint64 stepMs = 0;  ///< longest step of this run
    std::string run;
    bool taken = false;  ///< the engine has accepted the run
    int backoffMs = 0;
    bool ready = false;
    bool wanted = false;
};

void Agent::Private::setReady(bool value)
{
    if (ready == value) return;
    ready = value;
    Q_EMIT q->readyChanged(value);
}

void Agent::Private::launch()
{
    if (!wanted || process) return;
    reader = FrameReader();
    partialLine.clear();
    process = new QProcess(q);
    process->setProgram(config.program);
    process->setArguments(config.arguments);
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("SERIGRAPH_SUPERVISOR"), QString::number(QCoreApplication::applicationPid()));
    process->setProcessEnvironment(environment);
    QObject::connect(process, &QProcess::readyReadStandardOutput, q, [this] { readFrames(); });
    QObject::connect(process, &QProcess::readyReadStandardError, q, [this] { readLines(false); });
    QObject::connect(process, &QProcess::finished, q,
                     [this] { processEnded(engineFailed(describeExit().toStdString())); });
    QObject::connect(process, &QProcess::errorOccurred, q, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart)
            processEnded(engineFailed("cannot start " + config.program.toStdString() + ": " +
                                      process->errorString().toStdString()));
    });
    startTimer.start(config.startMs);
    process->start();
}

QString Agent::Private::describeExit() const
{
    if (process->exitStatus() == QProcess::CrashExit)
        return QStringLiteral("the engine was killed by signal %1").arg(process->exitCode());
    return QStringLiteral("the engine ended with exit code %1").arg(process->exitCode());
}

/// The engine must go: it is stuck or broke the protocol.
void Agent::Private::end(const Error &reason)
{
    if (!process) return;
    QProcess *stuck = process;
    stuck->disconnect(q);
    stuck->kill();
    // SIGKILL also ends a stopped process; the wait is for the kernel only.
    stuck->waitForFinished(5000);
    processEnded(reason);
}

void Agent::Private::processEnded(const Error &reason)
{
    if (!process) return;
    // What it wrote before it ended still counts: a picture may be complete.
    if (process->state() == QProcess::NotRunning) {
        readFrames();
        if (!process) return;
        readLines(true);
    }
    process->disconnect(q);
    process->deleteLater();
    process = nullptr;
    for (QTimer *timer : {&startTimer, &silenceTimer, &cancelTimer})
        timer->stop();
    setReady(false);
    if (!wanted) return;
    Q_EMIT q->modelsReported({});
    backoffMs = backoffMs == 0 ? config.backoffFirstMs : std::min(backoffMs * 2, config.backoffMostMs);
    logWarning("engine", reason.message + "; a new one starts in " + std::to_string(backoffMs) + " ms");
    restartTimer.start(backoffMs);
    if (run.empty()) return;
    const std::string ended = std::exchange(run, {});
    Q_EMIT q->died(ended, reason, taken);
}

void Agent::Private::readFrames()
{
    if (!process) return;
    const QByteArray bytes = process->readAllStandardOutput();
    reader.feed({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    while (std::optional<Expected<Frame>> frame = reader.next()) {
        if (!*frame) {
            end(engineFailed("the engine broke the protocol: " + frame->error().message));
            return;
        }
        handle(**frame);
        if (!process) return;
    }
}

void Agent::Private::readLines(bool all)
{
    partialLine += process->readAllStandardError();
    while (true) {
        qsizetype end = partialLine.indexOf('\n');
        if (end < 0 && partialLine.size() > static_cast<qsizetype>(kLongestLine))
            end = static_cast<qsizetype>(kLongestLine);
        if (end < 0 && all && !partialLine.isEmpty()) end = partialLine.size();
        if (end < 0) return;
        lines.push_back(partialLine.left(end).toStdString());
        if (lines.size() > kKeptLines) lines.pop_front();
        logInfo("engine", lines.back());
        partialLine.remove(0, end + 1);
    }
}

void Agent::Private::hello(const Json &header)
{
    startTimer.stop();
    const auto protocol = header.find("protocol");
    if (protocol == header.end() || *protocol != kProtocolVersion) {
        backoffMs = config.backoffMostMs;
        end(engineFailed(config.program.toStdString() + " speaks another protocol version than " +
                         std::to_string(kProtocolVersion)));
        return;
    }
    if (!ready)
        logInfo("engine", "serigraph-engine " + field(header, "version") + " is ready (process " +
                              std::to_string(process->processId()) + ")");
    const bool first = !ready;
    setReady(true);
    if (first && config.memoryBudget > 0) send({{"type", "hello"}, {"id", "budget"}, {"budget", config.memoryBudget}});
}

/// A sign of life: the watchdog begins anew.
void Agent::Private::sign()
{
    if (run.empty()) return;
    silenceTimer.start(
        static_cast<int>(std::clamp<qint64>(stepMs * config.silenceSteps, config.silenceMs, 24 * 3600 * 1000)));
}

void Agent::Private::finishRun()
{
    run.clear();
    silenceTimer.stop();
    cancelTimer.stop();
    backoffMs = 0;
    send({{"type", "status"}, {"id", "status"}});
}

void Agent::Private::report(const Json &header)
{
    std::vector<std::string> paths;
    if (const auto models = header.find("models"); models != header.end() && models->is_array())
        for (const Json &model : *models)
            if (model.is_object()) paths.push_back(field(model, "path"));
    Q_EMIT q->modelsReported(paths);
}

void Agent::Private::handle(Frame &frame)
{
    const std::string type = field(frame.header, "type");
    const std::string id = field(frame.header, "id");
    if (type == "hello") {
        hello(frame.header);
        return;
    }
    if (type == "status") {
        report(frame.header);
        return;
    }
    if (type == "progress" && !run.empty()) {
        if (sinceStep.isValid()) stepMs = std::max(stepMs, sinceStep.elapsed());
        sinceStep.start();
    }
    sign();
    if (run.empty() || id != run) return;
    taken = true;
    if (type == "progress") {
        Q_EMIT q->progressed(id, frame.header);
    } else if (type == "loading") {
        Q_EMIT q->loading(id, frame.header);
    } else if (type == "preview") {
        Q_EMIT q->previewed(id, frame);
    } else if (type == "image") {
        Q_EMIT q->imageArrived(id, frame);
    } else if (type == "done") {
        finishRun();
        Q_EMIT q->finished(id, frame.header);
    } else if (type == "error") {
        finishRun();
        Q_EMIT q->refused(id, Error{errorFromName(field(frame.header, "code")), field(frame.header, "message"),
                                    field(frame.header, "subject")});
    }
}

void Agent::Private::send(const Json &header, std::string_view payload)
{
    if (!process) return;
    const std::string frame = encodeFrame(header, payload);
    process->write(frame.data(), static_cast<qint64>(frame.size()));
}

Agent::Agent(AgentConfig config, QObject *parent)
    : QObject(parent), d(std::make_unique<Private>(this, std::move(config)))
{
}

Agent::~Agent()
{
    stop();
}

void Agent::start()
{
    d->wanted = true;
    d->launch();
}

void Agent::stop()
{
    d->wanted = false;
    d->run.clear();
    for (QTimer *timer : {&d->startTimer, &d->silenceTimer, &d->cancelTimer, &d->restartTimer})
        timer->stop();
    if (!d->process) return;
    QProcess *process = std::exchange(d->process, nullptr);
    process->disconnect(this);
    d->ready = false;
    const std::string frame = encodeFrame({{"type", "shutdown"}, {"id", "shutdown"}});
    process->write(frame.data(), static_cast<qint64>(frame.size()));
    process->closeWriteChannel();
    if (!process->waitForFinished(d->config.shutdownMs)) {
        process->kill();
        process->waitForFinished(1000);
    }
    delete process;
}

bool Agent::ready() const
{
    // An engine that has ended is not ready, also while its last words are still being read: whoever is told that a run
    // has finished may start the next one at once.
    return d->ready && d->process && d->process->state() == QProcess::Running;
}

qint64 Agent::processId() const
{
    return d->process ? d->process->processId() : 0;
}

void Agent::generate(const std::string &run, const Json &model, const Json &params,
                     const std::vector<AgentPicture> &pictures, const std::vector<std::string> &keep)
{
    Json header{{"type", "generate"}, {"id", run}, {"model", model}, {"params", params}, {"previews", true}};
    if (!keep.empty()) header["keep"] = keep;
    std::string payload;
    for (const AgentPicture &picture : pictures) {
        header["pictures"].push_back({{"row", picture.row}, {"bytes", picture.bytes.size()}});
        payload += picture.bytes;
    }
    d->run = run;
    d->taken = false;
    d->stepMs = 0;
    d->sinceStep.invalidate();
    d->cancelTimer.stop();
    d->send(header, payload);
    d->sign();
}

void Agent::cancel(const std::string &run)
{
    if (d->run != run) return;
    d->send({{"type", "cancel"}, {"id", run + "/cancel"}, {"task", run}});
    d->cancelTimer.start(static_cast<int>(std::clamp<qint64>(d->stepMs * 3, d->config.cancelMs, 24 * 3600 * 1000)));
}

void Agent::abandon(const std::string &run)
{
    if (d->run != run) return;
    d->send({{"type", "cancel"}, {"id", run + "/cancel"}, {"task", run}});
    d->finishRun();
}

std::string Agent::lastLines() const
{
    std::string text;
    for (const std::string &line : d->lines)
        text += (text.empty() ? "" : "\n") + line;
    return text;
}

}  // namespace sg
