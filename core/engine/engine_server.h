#pragma once

#include "core/base/frame.h"
#include "core/engine/backend.h"
#include "core/engine/engine_job.h"
#include "core/engine/messages.h"
#include "core/engine/outbox.h"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace sg::engine {

/// Makes the backend; called once, by the thread that will compute.
using BackendFactory = std::function<Expected<std::unique_ptr<Backend>>()>;

/// The engine process's conversation (docs/protocol.md): reads requests from one pipe, writes events to another.
/// Thread  run() reads; one thread of its own computes, one encodes pictures and writes.
class EngineServer {
public:
    /// `table`: the rows that a generate request may have; its bounds become the engine's.
    EngineServer(int inFd, int outFd, BackendFactory factory, std::filesystem::path wildcards = {},
                 const ParamTable &table = ParamTable::standard());
    ~EngineServer();
    EngineServer(const EngineServer &) = delete;
    EngineServer &operator=(const EngineServer &) = delete;

    /// Serves until shutdown, the end of input, or until nobody reads the events. Returns the exit status.
    int run();

private:
    using Jobs = std::deque<std::unique_ptr<EngineJob>>;

    bool startBackend();
    void readLoop();
    void handle(const Frame &frame);
    void load(const Json &header, const std::string &id);
    void addJob(std::unique_ptr<EngineJob> job);
    void generate(const Frame &frame, const std::string &id, EngineJob::Kind kind);
    void cancel(const Json &header, const std::string &id);
    void pause(const Json &header, const std::string &id);
    void resume(const Json &header, const std::string &id);
    void park(std::unique_ptr<EngineJob> job);
    std::unique_ptr<EngineJob> leave(bool ended);
    void answerStatus(const std::string &id);
    void finish();

    void compute();
    std::optional<Json> runJob(EngineJob &job);
    Json runLoad(EngineJob &job);
    std::optional<Json> runGenerate(EngineJob &job);
    void wakeReader();

    int m_inFd;
    int m_wakeFd;
    BackendFactory m_factory;
    std::filesystem::path m_wildcards;  // the folder; empty: none
    ParamTable m_table;
    Outbox m_outbox;
    FrameReader m_reader;
    bool m_stopping = false;  // set by the reading thread, after which it reads no more

    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::unique_ptr<Backend> m_backend;
    std::optional<Error> m_startError;
    bool m_started = false;
    bool m_closing = false;
    bool m_ended = false;
    Jobs m_jobs;    // that wait for the computing thread
    Jobs m_paused;  // that wait for resume
    std::unique_ptr<EngineJob> m_running;
    std::thread m_worker;
};

}  // namespace sg::engine
