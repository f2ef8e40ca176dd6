#include "tests/integration/agent/service_fixture.h"

#include "core/base/ids.h"

#include <QSignalSpy>
#include <QTimer>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace sg;
using sg::test::ServiceFixture;

/// TaskService with a real null engine: what a client sees of the queue.
class ServiceTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aTaskBecomesPictures();
    void everyStateIsAnnouncedInOrder();
    void progressIsKeptInMemory();
    void theSameIdIsTheSameTask();
    void manyClientsWithOneId();
    void badNamesAreRefused();
    void aFullQueueRefuses();
    void cancelWhileWaiting();
    void cancelWhileRunning();
    void cancelWhenFinishedChangesNothing();
    void randomCancelsEndOnce();
    void interruptCancelsWhatRuns();
    void unknownModelFailsTheTask();
    void anEngineErrorFailsAtOnce();
    void noReplyWithoutContext();
    void tenThousandWait();
    void tasksRunInOrder();
    void stopPutsTheRunningTaskBack();
    void modelsAreMarkedLoaded();
    void theEngineIsToldWhatComesNext();
};

void ServiceTest::aTaskBecomesPictures()
{
    ServiceFixture fixture(0);
    const Expected<TaskRecord> submitted = fixture.submit(ServiceFixture::task("three", 2, 3));
    QVERIFY2(submitted.has_value(), submitted ? "" : submitted.error().message.c_str());
    QCOMPARE(submitted->state, TaskState::Waiting);
    const Expected<TaskRecord> done = fixture.ended("three");
    QVERIFY(done.has_value());
    QCOMPARE(done->error.message, std::string());
    QCOMPARE(done->state, TaskState::Succeeded);
    const std::vector<std::string> paths{"images/default/three_1.png", "images/default/three_2.png",
                                         "images/default/three_3.png"};
    QCOMPARE(done->images, paths);
    QCOMPARE(done->infotexts.size(), 3u);
    const auto seed = done->params["seed"].get<std::int64_t>();
    QCOMPARE(done->seeds, (std::vector<std::int64_t>{seed, seed + 1, seed + 2}));
    QVERIFY(done->infotexts[1].find("Seed: " + std::to_string(seed + 1)) != std::string::npos);
    QCOMPARE(done->attempts, 0);
    QVERIFY(done->createdMs <= done->startedMs && done->startedMs <= done->endedMs);
    for (const std::string &path : done->images) {
        const Expected<std::string> bytes = fixture.read(path);
        QVERIFY(bytes.has_value());
        QVERIFY(bytes->starts_with("\x89PNG"));
    }
    QCOMPARE(fixture.files(), paths);
    QCOMPARE(fixture.read("images/default/none_1.png").error().code, ErrorCode::NotFound);
    QCOMPARE(fixture.read("../serigraph.db").error().code, ErrorCode::InvalidArgument);
}

void ServiceTest::everyStateIsAnnouncedInOrder()
{
    ServiceFixture fixture(0);
    QSignalSpy spy(&fixture.service(), &TaskService::taskChanged);
    QVERIFY(fixture.submit(ServiceFixture::task("states")).has_value());
    QVERIFY(fixture.ended("states").has_value());
    QTRY_COMPARE(spy.count(), 3);
    QCOMPARE(spy[0][1].toInt(), static_cast<int>(TaskState::Waiting));
    QCOMPARE(spy[1][1].toInt(), static_cast<int>(TaskState::Running));
    QCOMPARE(spy[2][1].toInt(), static_cast<int>(TaskState::Succeeded));
}

void ServiceTest::progressIsKeptInMemory()
{
    ServiceFixture fixture(50);
    QSignalSpy spy(&fixture.service(), &TaskService::progressChanged);
    QVERIFY(fixture.submit(ServiceFixture::task("slow", 40)).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("next", 1)).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("later", 1)).has_value());
    QVERIFY(fixture.running("slow"));
    QCOMPARE(fixture.service().progress("next")->position, 1);
    QCOMPARE(fixture.service().progress("later")->position, 2);
    QCOMPARE(fixture.service().waitingCount(), 2);
    QTRY_VERIFY(fixture.service().progress("slow")->step >= 5);
    const TaskProgress progress = *fixture.service().progress("slow");
    QCOMPARE(progress.steps, 40);
    QVERIFY(progress.fraction > 0.1 && progress.fraction < 0.99);
    QVERIFY(progress.etaSeconds > 0);
    QVERIFY(progress.rate > 0);
    QTRY_VERIFY(fixture.service().progress("slow")->previewNumber >= 2);
    QVERIFY(fixture.service().progress("slow")->preview.starts_with("\xff\xd8"));
    QCOMPARE(fixture.ended("later")->state, TaskState::Succeeded);
    QCOMPARE(fixture.service().progress("slow")->fraction, 1.0);
    QVERIFY(fixture.service().progress("slow")->preview.empty());
    QVERIFY(!fixture.service().progress("nobody").has_value());
    // 42 steps and a few previews; at most 20 signals a second.
    QVERIFY(spy.count() >= 5 && spy.count() <= 60);
}

void ServiceTest::theSameIdIsTheSameTask()
{
    ServiceFixture fixture(0);
    const NewTask task = ServiceFixture::task("same");
    QVERIFY(fixture.submit(task).has_value());
    QCOMPARE(fixture.ended("same")->state, TaskState::Succeeded);
    NewTask again = task;
    again.body = Json{{"steps", 2}, {"prompt", "test same"}};
    const Expected<TaskRecord> second = fixture.submit(again);
    QVERIFY(second.has_value());
    QCOMPARE(second->state, TaskState::Succeeded);
    QCOMPARE(second->images.size(), 1u);
    again.body = {{"prompt", "another"}};
    QCOMPARE(fixture.submit(again).error().code, ErrorCode::Conflict);
    again = task;
    again.user = "someone";
    QCOMPARE(fixture.submit(again).error().code, ErrorCode::Conflict);
    fixture.close();
    QVERIFY(fixture.open().has_value());
    again = task;
    QCOMPARE(fixture.submit(again)->state, TaskState::Succeeded);
    again.body = {{"prompt", "another"}};
    QCOMPARE(fixture.submit(again).error().code, ErrorCode::Conflict);
}

void ServiceTest::manyClientsWithOneId()
{
    ServiceFixture fixture(0);
    QSignalSpy spy(&fixture.service(), &TaskService::taskChanged);
    QObject context;
    int answers = 0;
    for (int i = 0; i < 100; ++i)
        fixture.service().submit(ServiceFixture::task("one"), &context, [&](Expected<TaskRecord> record) {
            QVERIFY(record.has_value());
            ++answers;
        });
    QTRY_COMPARE(answers, 100);
    QCOMPARE(fixture.ended("one")->state, TaskState::Succeeded);
    const auto all = fixture.wait<std::vector<TaskRecord>>(
        [&](QObject *asker, auto reply) { fixture.service().list(1000, 0, asker, reply); });
    QCOMPARE(all->size(), 1u);
    QTRY_COMPARE(spy.count(), 3);
}

void ServiceTest::badNamesAreRefused()
{
    ServiceFixture fixture(0);
    for (const std::string id : {"-x", "a/b", "..", "a b", "é"})
        QCOMPARE(fixture.submit(ServiceFixture::task(id)).error().code, ErrorCode::InvalidArgument);
    for (const std::string user : {"", "..", "a/b", "a\\b", ".x", "a\nb", "\xff"}) {
        NewTask task = ServiceFixture::task("user");
        task.user = user;
        QCOMPARE(fixture.submit(task).error().subject, std::string("username"));
    }
    NewTask task = ServiceFixture::task("");
    task.user = "田中 さん";
    const Expected<TaskRecord> record = fixture.submit(task);
    QVERIFY(record.has_value() && isTaskId(record->id));
    QCOMPARE(fixture.ended(record->id)->images.front(), "images/田中 さん/" + record->id + "_1.png");
}

void ServiceTest::aFullQueueRefuses()
{
    ServiceFixture fixture(200, [](TaskServiceConfig &config) {
        config.maxWaiting = 5;
        config.maxWaitingPerUser = 3;
    });
    QVERIFY(fixture.submit(ServiceFixture::task("runs", 100)).has_value());
    QVERIFY(fixture.running("runs"));
    const auto submitAs = [&](const std::string &user, const std::string &id) {
        NewTask task = ServiceFixture::task(id);
        task.user = user;
        return fixture.submit(task);
    };
    for (const char *id : {"a1", "a2", "a3"})
        QVERIFY(submitAs("a", id).has_value());
    QCOMPARE(submitAs("a", "a4").error().code, ErrorCode::QueueFull);
    QVERIFY(submitAs("a", "a3").has_value());
    QVERIFY(submitAs("b", "b1").has_value());
    QVERIFY(submitAs("c", "c1").has_value());
    QCOMPARE(submitAs("d", "d1").error().code, ErrorCode::QueueFull);
    QCOMPARE(fixture.find("d1").error().code, ErrorCode::NotFound);
    QVERIFY(fixture.cancel("a2").has_value());
    QVERIFY(submitAs("d", "d1").has_value());
}

void ServiceTest::cancelWhileWaiting()
{
    ServiceFixture fixture(50);
    QVERIFY(fixture.submit(ServiceFixture::task("first", 60)).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("second")).has_value());
    QVERIFY(fixture.running("first"));
    const Expected<TaskRecord> cancelled = fixture.cancel("second");
    QCOMPARE(cancelled->state, TaskState::Cancelled);
    QCOMPARE(cancelled->error.code, ErrorCode::Cancelled);
    QCOMPARE(fixture.service().runningTask(), std::string("first"));
    QCOMPARE(fixture.ended("first")->state, TaskState::Succeeded);
    QCOMPARE(fixture.find("second")->state, TaskState::Cancelled);
    QCOMPARE(fixture.files(), (std::vector<std::string>{"images/default/first_1.png"}));
    QCOMPARE(fixture.cancel("nobody").error().code, ErrorCode::NotFound);
}

void ServiceTest::cancelWhileRunning()
{
    ServiceFixture fixture(20);
    NewTask task = ServiceFixture::task("long", 100);
    task.values.set("n_iter", std::int64_t{50});
    QVERIFY(fixture.submit(task).has_value());
    // One picture is stored by then; it must not stay.
    QTRY_COMPARE_WITH_TIMEOUT(fixture.files().size(), 1u, 30'000);
    const Expected<TaskRecord> cancelled = fixture.cancel("long");
    QCOMPARE(cancelled->state, TaskState::Cancelled);
    QVERIFY(cancelled->images.empty());
    QVERIFY(fixture.files().empty());
    QVERIFY(fixture.service().runningTask().empty());
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    QCOMPARE(fixture.ended("after")->state, TaskState::Succeeded);
}

void ServiceTest::cancelWhenFinishedChangesNothing()
{
    ServiceFixture fixture(0);
    QVERIFY(fixture.submit(ServiceFixture::task("done")).has_value());
    QCOMPARE(fixture.ended("done")->state, TaskState::Succeeded);
    QCOMPARE(fixture.cancel("done")->state, TaskState::Succeeded);
    QCOMPARE(fixture.cancel("done")->images.size(), 1u);
    QCOMPARE(fixture.files().size(), 1u);
}

void ServiceTest::randomCancelsEndOnce()
{
    ServiceFixture fixture(1);
    QSignalSpy spy(&fixture.service(), &TaskService::taskChanged);
    constexpr int kTasks = 120;
    QObject context;
    int answers = 0;
    std::srand(7);
    for (int i = 0; i < kTasks; ++i) {
        const std::string id = "c" + std::to_string(i);
        fixture.service().submit(ServiceFixture::task(id, 3), &context,
                                 [](Expected<TaskRecord> record) { QVERIFY(record.has_value()); });
        for (int twice = 0; twice < 2; ++twice)
            QTimer::singleShot(std::rand() % 1500, &context, [&, id] {
                fixture.service().cancel(id, &context, [&](Expected<TaskRecord> record) {
                    QVERIFY(record && isFinal(record->state));
                    ++answers;
                });
            });
    }
    QTRY_COMPARE_WITH_TIMEOUT(answers, 2 * kTasks, 60'000);
    int succeeded = 0;
    for (int i = 0; i < kTasks; ++i) {
        const std::string id = "c" + std::to_string(i);
        const Expected<TaskRecord> record = fixture.ended(id);
        QVERIFY(record->state == TaskState::Succeeded || record->state == TaskState::Cancelled);
        QCOMPARE(record->images.size(), record->state == TaskState::Succeeded ? 1u : 0u);
        succeeded += record->state == TaskState::Succeeded;
        int finals = 0;
        for (const QList<QVariant> &signal : spy)
            finals += signal[0].toString().toStdString() == id && isFinal(static_cast<TaskState>(signal[1].toInt()));
        QCOMPARE(finals, 1);
    }
    QCOMPARE(static_cast<int>(fixture.files().size()), succeeded);
}

void ServiceTest::interruptCancelsWhatRuns()
{
    ServiceFixture fixture(50);
    fixture.service().interrupt();
    QVERIFY(fixture.submit(ServiceFixture::task("hit", 100)).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("miss", 1)).has_value());
    QVERIFY(fixture.running("hit"));
    fixture.service().interrupt();
    QCOMPARE(fixture.ended("hit")->state, TaskState::Cancelled);
    QCOMPARE(fixture.ended("miss")->state, TaskState::Succeeded);
}

void ServiceTest::unknownModelFailsTheTask()
{
    ServiceFixture fixture(0);
    NewTask task = ServiceFixture::task("lost");
    task.model = "no-such-model";
    QVERIFY(fixture.submit(task).has_value());
    const Expected<TaskRecord> ended = fixture.ended("lost");
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(ended->error.code, ErrorCode::NotFound);
    QCOMPARE(ended->error.subject, std::string("stable_diffusion_model"));
}

void ServiceTest::anEngineErrorFailsAtOnce()
{
    ServiceFixture fixture(0);
    NewTask task = ServiceFixture::task("bad");
    task.values.set("width", std::int64_t{7});
    QVERIFY(fixture.submit(task).has_value());
    const Expected<TaskRecord> ended = fixture.ended("bad");
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(ended->error.code, ErrorCode::InvalidArgument);
    QCOMPARE(ended->error.subject, std::string("width"));
    QCOMPARE(ended->attempts, 0);
    QVERIFY(fixture.files().empty());
}

void ServiceTest::noReplyWithoutContext()
{
    ServiceFixture fixture(0);
    bool called = false;
    for (int i = 0; i < 200; ++i) {
        auto context = std::make_unique<QObject>();
        fixture.service().submit(ServiceFixture::task("gone" + std::to_string(i), 1), context.get(),
                                 [&](const auto &) { called = true; });
        if (i % 2 == 0) QThread::usleep(300);
        context.reset();
    }
    QVERIFY(fixture.ended("gone199").has_value());
    QTest::qWait(50);
    QVERIFY(!called);
}

void ServiceTest::tenThousandWait()
{
    // No engine yet, so that all of them are there before the first one starts.
    constexpr int kTasks = 10'000;
    ServiceFixture fixture(0, [](TaskServiceConfig &config) {
        config.maxWaitingPerUser = kTasks;
        config.engineProgram = "/nonexistent/serigraph-engine";
    });
    QObject context;
    int stored = 0;
    for (int i = 0; i < kTasks; ++i)
        fixture.service().submit(ServiceFixture::task("t" + std::to_string(i), 1), &context,
                                 [&](Expected<TaskRecord> record) {
                                     QVERIFY(record.has_value());
                                     ++stored;
                                 });
    QTRY_COMPARE_WITH_TIMEOUT(stored, kTasks, 60'000);
    QVERIFY(!fixture.service().engineReady());
    QCOMPARE(fixture.service().waitingCount(), kTasks);
    QCOMPARE(fixture.submit(ServiceFixture::task("over")).error().code, ErrorCode::QueueFull);
    for (const int i : {0, 1, 4711, kTasks - 1})
        QCOMPARE(fixture.service().progress("t" + std::to_string(i))->position, i);
    const auto page = fixture.wait<std::vector<TaskRecord>>(
        [&](QObject *asker, auto reply) { fixture.service().list(3, 1, asker, reply); });
    QCOMPARE(page->size(), 3u);
    QCOMPARE(page->front().id, "t" + std::to_string(kTasks - 2));
}

void ServiceTest::tasksRunInOrder()
{
    ServiceFixture fixture(0);
    QSignalSpy spy(&fixture.service(), &TaskService::taskChanged);
    constexpr int kTasks = 200;
    QObject context;
    std::vector<std::string> expected, started;
    for (int i = 0; i < kTasks; ++i) {
        expected.push_back("o" + std::to_string(i));
        NewTask task = ServiceFixture::task(expected.back(), 1);
        task.user = i % 2 == 0 ? "even" : "odd";
        fixture.service().submit(task, &context, [](Expected<TaskRecord> record) { QVERIFY(record.has_value()); });
    }
    QCOMPARE(fixture.ended(expected.back())->state, TaskState::Succeeded);
    for (const QList<QVariant> &signal : spy)
        if (signal[1].toInt() == static_cast<int>(TaskState::Running))
            started.push_back(signal[0].toString().toStdString());
    QCOMPARE(started, expected);
}

void ServiceTest::stopPutsTheRunningTaskBack()
{
    ServiceFixture fixture(20);
    NewTask task = ServiceFixture::task("kept", 60);
    task.values.set("n_iter", std::int64_t{3});
    QVERIFY(fixture.submit(task).has_value());
    QTRY_COMPARE_WITH_TIMEOUT(fixture.files().size(), 1u, 30'000);
    fixture.close();
    QVERIFY(fixture.files().empty());
    QVERIFY(fixture.open().has_value());
    const Expected<TaskRecord> ended = fixture.ended("kept");
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 0);
    QCOMPARE(fixture.files().size(), 3u);
}

void ServiceTest::modelsAreMarkedLoaded()
{
    ServiceFixture fixture(0);
    QVERIFY(fixture.submit(ServiceFixture::task("load")).has_value());
    QCOMPARE(fixture.ended("load")->state, TaskState::Succeeded);
    QTRY_COMPARE(fixture.library().find("null-model")->status, std::string("loaded"));
    QVERIFY(!fixture.library().find("null-model")->sha256.empty());
}

/// Through a program that notes what it is told, the engine behind it.
void ServiceTest::theEngineIsToldWhatComesNext()
{
    const QTemporaryDir folder;
    const std::filesystem::path program = std::filesystem::path(folder.path().toStdString()) / "engine.sh";
    const std::filesystem::path notes = program.parent_path() / "notes";
    std::ofstream(program) << "#!/bin/sh\nunset SERIGRAPH_SUPERVISOR\ntee " << notes.string()
                           << " | " SG_BIN_DIR "/serigraph-engine \"$@\"\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    ServiceFixture fixture(50, [&](TaskServiceConfig &config) {
        config.engineProgram = program;
        config.agent.memoryBudget = 123'456'789;
    });
    for (const char *id : {"first", "second", "third"})
        QVERIFY(fixture.submit(ServiceFixture::task(id)).has_value());
    QCOMPARE(fixture.ended("third")->state, TaskState::Succeeded);
    std::ifstream told(notes, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(told), {}};
    QVERIFY(all.find("\"budget\":123456789") != std::string::npos);
    const std::string keep = "\"keep\":[\"" + fixture.library().find("null-model")->path + "\"]";
    QVERIFY(all.find(keep) != std::string::npos);
    // The last task has nothing behind it.
    const std::size_t last = all.find("\"id\":\"third#");
    QVERIFY(last != std::string::npos && all.find(keep, last) == std::string::npos);
}

QTEST_GUILESS_MAIN(ServiceTest)
#include "service_test.moc"
