#pragma once

#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/params/generation_request.h"
#include "tests/support/safetensors_writer.h"

#include <QTemporaryDir>
#include <QTest>
#include <QThread>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace sg::test {

/// A library with one checkpoint "null-model", and a TaskService with the real serigraph-engine --null, in threads as
/// the programs have them.
class ServiceFixture {
public:
    ServiceFixture(int stepMs, const std::function<void(TaskServiceConfig &)> &change = {})
        : m_change(change), m_stepMs(stepMs)
    {
        writeCheckpoint(models() / "null-model.safetensors");
        open();
    }
    ~ServiceFixture() { close(); }

    /// The process ends in order and begins anew.
    Expected<void> open()
    {
        m_library = std::make_unique<ModelLibrary>(data() / "serigraph.db");
        m_library->addPath(models().string(), false, nullptr, {});
        TaskServiceConfig config;
        config.dataDir = data();
        config.engineProgram = std::string(SG_BIN_DIR) + "/serigraph-engine";
        config.engineArguments = {"--null", "--null-step-ms", std::to_string(m_stepMs)};
        config.agent.backoffFirstMs = 20;
        if (m_change) m_change(config);
        m_io = std::make_unique<QThread>();
        m_io->start();
        m_service = new TaskService(config, *m_library);
        m_service->moveToThread(m_io.get());
        return m_service->start();
    }
    void close()
    {
        if (!m_io) return;
        m_service->stop();
        QMetaObject::invokeMethod(
            m_service, [this] { delete m_service; }, Qt::BlockingQueuedConnection);
        m_io->quit();
        m_io->wait();
        m_io.reset();
        m_library.reset();
    }

    TaskService &service() { return *m_service; }
    ModelLibrary &library() { return *m_library; }
    std::filesystem::path data() const { return std::filesystem::path(m_dir.path().toStdString()) / "data"; }
    std::filesystem::path models() const { return std::filesystem::path(m_dir.path().toStdString()) / "models"; }
    std::filesystem::path objects() const { return data() / "objects"; }

    static NewTask task(const std::string &id, int steps = 2, int images = 1)
    {
        NewTask task;
        task.id = id;
        task.model = "null-model";
        task.values = ParamValues::defaults(ParamTable::standard());
        task.values.set("prompt", std::string("test ") + id);
        task.values.set("steps", std::int64_t{steps});
        task.values.set("width", std::int64_t{64});
        task.values.set("height", std::int64_t{64});
        task.values.set("batch_size", std::int64_t{images});
        task.values.set("stable_diffusion_model", std::string("null-model"));
        resolveSeeds(task.values);
        task.body = {{"prompt", "test " + id}, {"steps", steps}};
        return task;
    }

    /// Asks and waits for the answer in the test's own thread.
    template <class T, class Ask>
    Expected<T> wait(Ask ask, int timeoutMs = 60'000)
    {
        QObject context;
        std::optional<Expected<T>> answer;
        ask(&context, [&](Expected<T> value) { answer = std::move(value); });
        if (!QTest::qWaitFor([&] { return answer.has_value(); }, timeoutMs))
            return fail(ErrorCode::Internal, "no answer in time");
        return std::move(*answer);
    }
    Expected<TaskRecord> submit(NewTask task)
    {
        return wait<TaskRecord>(
            [&](QObject *context, auto reply) { m_service->submit(std::move(task), context, reply); });
    }
    Expected<TaskRecord> find(const std::string &id)
    {
        return wait<TaskRecord>([&](QObject *context, auto reply) { m_service->find(id, context, reply); });
    }
    Expected<TaskRecord> cancel(const std::string &id)
    {
        return wait<TaskRecord>([&](QObject *context, auto reply) { m_service->cancel(id, context, reply); });
    }
    Expected<std::string> read(const std::string &path)
    {
        return wait<std::string>([&](QObject *context, auto reply) { m_service->readObject(path, context, reply); });
    }
    /// The task when it has ended, or as it is after the time.
    Expected<TaskRecord> ended(const std::string &id, int timeoutMs = 60'000)
    {
        Expected<TaskRecord> record = find(id);
        (void)QTest::qWaitFor(
            [&] {
                const std::optional<TaskProgress> progress = m_service->progress(id);
                if (progress && !isFinal(progress->state)) return false;
                record = find(id);
                return !record || isFinal(record->state);
            },
            timeoutMs);
        return record;
    }
    bool running(const std::string &id, int timeoutMs = 60'000)
    {
        return QTest::qWaitFor([&] { return m_service->runningTask() == id; }, timeoutMs);
    }
    /// All files below the object store, temporary ones included.
    std::vector<std::string> files() const
    {
        std::vector<std::string> found;
        if (!std::filesystem::exists(objects())) return found;
        for (const auto &entry : std::filesystem::recursive_directory_iterator(objects()))
            if (entry.is_regular_file()) found.push_back(std::filesystem::relative(entry.path(), objects()).string());
        std::sort(found.begin(), found.end());
        return found;
    }

private:
    QTemporaryDir m_dir;
    std::function<void(TaskServiceConfig &)> m_change;
    int m_stepMs;
    std::unique_ptr<ModelLibrary> m_library;
    std::unique_ptr<QThread> m_io;
    TaskService *m_service = nullptr;
};

}  // namespace sg::test
