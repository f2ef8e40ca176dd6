#include "tests/integration/agent/service_fixture.h"

#include <QElapsedTimer>

#include <fstream>

using namespace sg;
using sg::test::ServiceFixture;

/// The real engine with the starter model on a disk that is slow (tests/support/slow_disk_shim.c), and a watchdog that
/// has less patience than the file takes.
class SlowDiskTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aSlowDiskIsNoStuckEngine_data();
    void aSlowDiskIsNoStuckEngine();
    void aDiskThatHangsIsAStuckEngine();
    void cancelWhileReading();

private:
    std::unique_ptr<ServiceFixture> engineOn(int willNeedMs, int populateMs);
    static NewTask starterTask(const std::string &id);

    QTemporaryDir m_folder;
};

namespace {

constexpr int kSilenceMs = 3000;

}  // namespace

/// Each part of the file takes so long to be asked for, and so long to come.
std::unique_ptr<ServiceFixture> SlowDiskTest::engineOn(int willNeedMs, int populateMs)
{
    const std::filesystem::path script = m_folder.filePath(QStringLiteral("engine.sh")).toStdString();
    std::ofstream(script) << "#!/bin/sh\nLD_PRELOAD=" SG_SLOW_DISK_SHIM " SG_SLOW_WILLNEED_MS=" << willNeedMs
                          << " SG_SLOW_POPULATE_MS=" << populateMs << " exec " SG_BIN_DIR "/serigraph-engine\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    auto fixture = std::make_unique<ServiceFixture>(0, [&](TaskServiceConfig &config) {
        config.engineProgram = script;
        config.engineArguments = {"--threads", "1"};
        config.agent.silenceMs = kSilenceMs;
        config.maxAttempts = 1;
    });
    fixture->library().addPath(SG_SOURCE_DIR "/resources/starter", false, nullptr, {});
    return fixture;
}

NewTask SlowDiskTest::starterTask(const std::string &id)
{
    NewTask task = ServiceFixture::task(id, 1);
    task.model = "starter";
    task.values.set("stable_diffusion_model", std::string("starter"));
    return task;
}

void SlowDiskTest::aSlowDiskIsNoStuckEngine_data()
{
    QTest::addColumn<int>("willNeedMs");
    QTest::addColumn<int>("populateMs");
    // 20 MB are five parts to be asked for; what comes is waited for tensor by tensor, some hundred times.
    QTest::newRow("a full queue") << 900 << 0;
    QTest::newRow("a network share") << 0 << 12;
}

void SlowDiskTest::aSlowDiskIsNoStuckEngine()
{
    QFETCH(int, willNeedMs);
    QFETCH(int, populateMs);
    const std::unique_ptr<ServiceFixture> fixture = engineOn(willNeedMs, populateMs);
    QTRY_VERIFY_WITH_TIMEOUT(fixture->service().engineReady(), 60'000);
    QElapsedTimer clock;
    clock.start();
    QVERIFY(fixture->submit(starterTask("slow")).has_value());
    const Expected<TaskRecord> ended = fixture->ended("slow");
    QVERIFY2(ended->state == TaskState::Succeeded, ended->error.message.c_str());
    QCOMPARE(ended->attempts, 0);
    // Otherwise the disk was not slow enough to prove anything.
    QVERIFY(clock.elapsed() > kSilenceMs);
}

void SlowDiskTest::aDiskThatHangsIsAStuckEngine()
{
    const std::unique_ptr<ServiceFixture> fixture = engineOn(60'000, 0);
    QVERIFY(fixture->submit(starterTask("hangs")).has_value());
    const Expected<TaskRecord> ended = fixture->ended("hangs");
    QCOMPARE(ended->state, TaskState::Failed);
    QVERIFY2(ended->error.message.find("no sign of life") != std::string::npos, ended->error.message.c_str());
}

void SlowDiskTest::cancelWhileReading()
{
    const std::unique_ptr<ServiceFixture> fixture = engineOn(500, 0);
    QTRY_VERIFY_WITH_TIMEOUT(fixture->service().engineReady(), 60'000);
    QVERIFY(fixture->submit(starterTask("cancelled")).has_value());
    QVERIFY(fixture->running("cancelled"));
    const auto loading = [&] {
        const std::optional<TaskProgress> now = fixture->service().progress("cancelled");
        return now && now->loading && *now->loading > 0 && *now->loading < 1;
    };
    QTRY_VERIFY(loading());
    QCOMPARE(fixture->cancel("cancelled")->state, TaskState::Cancelled);
    QVERIFY(fixture->service().engineReady());
}

QTEST_GUILESS_MAIN(SlowDiskTest)
#include "slow_disk_test.moc"
