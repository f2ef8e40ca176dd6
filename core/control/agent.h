#pragma once

#include "core/base/frame.h"

#include <QObject>
#include <QString>
#include <QStringList>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sg {

struct AgentConfig {
    QString program;
    QStringList arguments;
    int startMs = 120'000;    ///< to the engine's hello; the first start reads a gigabyte of libraries
    int silenceMs = 120'000;  ///< a run without an event for this long, and for silenceSteps steps, is stuck
    int silenceSteps = 10;
    int cancelMs = 60'000;     ///< a cancelled run must have ended by then (or within 3 steps)
    int backoffFirstMs = 200;  ///< before a new start, doubled with each end that had no finished run before it
    int backoffMostMs = 10'000;
    int shutdownMs = 3'000;
    std::uint64_t memoryBudget = 0;  ///< bytes that the engine's models and runs may take; 0: what its device has
};

/// A start picture on its way to the engine: the row of the parameter table, and the file.
struct AgentPicture {
    std::string row;
    std::string bytes;
};

/// Keeps one serigraph-engine alive and talks to it (docs/protocol.md): start, version check, restart after a pause,
/// watchdog. Thread  the io thread.
class Agent final : public QObject {
    Q_OBJECT
public:
    explicit Agent(AgentConfig config, QObject *parent = nullptr);
    ~Agent() override;

    void start();
    /// Ends the engine, politely first. No signal comes after it.
    void stop();
    bool ready() const;
    qint64 processId() const;  ///< 0 when none runs

    /// Starts a run; only when ready(), and one at a time. `run` is new for each attempt. `keep`: paths of the models
    /// that will be wanted next, which the engine lets go last.
    void generate(const std::string &run, const Json &model, const Json &params,
                  const std::vector<AgentPicture> &pictures = {}, const std::vector<std::string> &keep = {});
    void cancel(const std::string &run);
    /// No more signals for this run; it is cancelled in the engine.
    void abandon(const std::string &run);

    /// The engine's last lines on stderr.
    std::string lastLines() const;

Q_SIGNALS:
    void readyChanged(bool ready);
    void progressed(const std::string &run, const sg::Json &event);
    /// The run's files are being read: the event has `bytes` and `total`.
    void loading(const std::string &run, const sg::Json &event);
    void previewed(const std::string &run, const sg::Frame &frame);
    void imageArrived(const std::string &run, const sg::Frame &frame);
    /// `done` is the event, with the engine's warnings.
    void finished(const std::string &run, const sg::Json &done);
    void refused(const std::string &run, const sg::Error &error);  ///< the engine's own error event; the engine lives
    /// Paths of the models that the engine holds: after each run, and none when it has gone.
    void modelsReported(const std::vector<std::string> &paths);
    /// The engine ended, was stuck or broke the protocol during this run. `taken`: after it had accepted the run.
    void died(const std::string &run, const sg::Error &error, bool taken);

private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace sg
