#include "tests/integration/agent/service_fixture.h"

#include <csignal>
#include <fstream>
#include <set>

using namespace sg;
using sg::test::ServiceFixture;

/// What happens when the engine dies, hangs or is not what it should be. The engine is the real one; its death is a
/// real signal.
class DeathsTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void oneDeathIsRetried();
    void threeDeathsFail();
    void aDeathBetweenTasksCostsNothing();
    void aDeathRightAfterTheLastPictureCostsNothing();
    void aTaskThatEndsEachEngineAtOnceFails();
    void aStuckEngineIsKilled();
    void aCancelledStuckTaskIsCancelled();
    void aProgramThatIsNoEngine();
    void anEngineThatTalksNonsense();
};

namespace {

/// The PID of this process's serigraph-engine, found as the kernel shows it; 0 when none runs.
int enginePid()
{
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream file(entry.path() / "stat");
        std::string line;
        std::getline(file, line);
        const std::size_t close = line.rfind(')');
        if (close == std::string::npos || line.find("(serigraph-engin") == std::string::npos) continue;
        char state = 0;
        int parent = 0;
        if (std::sscanf(line.c_str() + close + 1, " %c %d", &state, &parent) == 2 && parent == getpid() && state != 'Z')
            return std::stoi(name);
    }
    return 0;
}

/// Waits until the task computes, then sends the signal to the engine.
bool signalDuring(ServiceFixture &fixture, const std::string &id, int signal, int notThisPid = 0)
{
    const bool computing = QTest::qWaitFor(
        [&] {
            const std::optional<TaskProgress> progress = fixture.service().progress(id);
            return progress && progress->state == TaskState::Running && progress->step >= 1 && enginePid() != 0 &&
                   enginePid() != notThisPid;
        },
        30'000);
    return computing && ::kill(enginePid(), signal) == 0;
}

std::string writeScript(const std::filesystem::path &path, const std::string &body)
{
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\n" << body;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path.string();
}

}  // namespace

void DeathsTest::oneDeathIsRetried()
{
    ServiceFixture fixture(50);
    NewTask task = ServiceFixture::task("once", 20);
    task.values.set("n_iter", std::int64_t{2});
    QVERIFY(fixture.submit(task).has_value());
    QTRY_COMPARE_WITH_TIMEOUT(fixture.files().size(), 1u, 30'000);
    QVERIFY(signalDuring(fixture, "once", SIGKILL));
    const Expected<TaskRecord> ended = fixture.ended("once");
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 1);
    QCOMPARE(ended->error.message, std::string());
    QCOMPARE(ended->images.size(), 2u);
    QCOMPARE(fixture.files(), ended->images);
}

void DeathsTest::threeDeathsFail()
{
    ServiceFixture fixture(50);
    QVERIFY(fixture.submit(ServiceFixture::task("doomed", 200)).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("healthy", 1)).has_value());
    int last = 0;
    for (int death = 1; death <= 3; ++death) {
        QVERIFY(signalDuring(fixture, "doomed", 0, last));
        last = enginePid();
        QVERIFY(signalDuring(fixture, "doomed", SIGKILL));
        if (death < 3) QTRY_COMPARE_WITH_TIMEOUT(fixture.find("doomed")->attempts, death, 10'000);
    }
    const Expected<TaskRecord> ended = fixture.ended("doomed");
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(ended->attempts, 3);
    QCOMPARE(ended->error.code, ErrorCode::EngineFailed);
    QVERIFY2(ended->error.message.find("failed 3 times") != std::string::npos &&
                 ended->error.message.find("signal 9") != std::string::npos,
             ended->error.message.c_str());
    QCOMPARE(fixture.ended("healthy")->state, TaskState::Succeeded);
    QCOMPARE(fixture.ended("healthy")->attempts, 0);
    QCOMPARE(fixture.files(), (std::vector<std::string>{"images/default/healthy_1.png"}));
}

void DeathsTest::aDeathBetweenTasksCostsNothing()
{
    ServiceFixture fixture(0);
    QTRY_VERIFY(fixture.service().engineReady());
    const int first = enginePid();
    QVERIFY(first != 0 && ::kill(first, SIGKILL) == 0);
    QTRY_VERIFY(!fixture.service().engineReady() || enginePid() != first);
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    const Expected<TaskRecord> ended = fixture.ended("after");
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 0);
}

void DeathsTest::aDeathRightAfterTheLastPictureCostsNothing()
{
    ServiceFixture fixture(0);
    QTRY_VERIFY(fixture.service().engineReady());
    int killed = 0;
    // In the io thread, between the end of the first task and the start of the second: the engine is gone, and Qt has
    // not told anybody yet.
    QObject::connect(
        &fixture.service(), &TaskService::taskChanged, &fixture.service(),
        [&killed](const QString &id, int state) {
            if (id != QLatin1String("first") || state != static_cast<int>(TaskState::Succeeded)) return;
            killed = enginePid();
            ::kill(killed, SIGKILL);
            while (enginePid() == killed)
                QThread::msleep(1);
        },
        Qt::DirectConnection);
    std::vector<Expected<TaskRecord>> stored;
    QObject context;
    for (const char *id : {"first", "second"})
        fixture.service().submit(ServiceFixture::task(id), &context,
                                 [&](Expected<TaskRecord> record) { stored.push_back(std::move(record)); });
    QTRY_COMPARE_WITH_TIMEOUT(stored.size(), 2u, 30'000);
    const Expected<TaskRecord> ended = fixture.ended("second");
    QVERIFY(killed != 0);
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 0);
    QCOMPARE(fixture.ended("first")->attempts, 0);
}

void DeathsTest::aTaskThatEndsEachEngineAtOnceFails()
{
    QTemporaryDir folder;
    const std::filesystem::path at(folder.path().toStdString());
    const std::string engine = std::string(SG_BIN_DIR) + "/serigraph-engine";
    // The real engine says hello; with the first bytes of a request it goes, before it could accept.
    const std::string script =
        writeScript(at / "engine.sh", "unset SERIGRAPH_SUPERVISOR\ntail -f --pid=$$ /dev/null | " + engine +
                                          " --null &\nhead -c 9 > /dev/null\nexit 1\n");
    ServiceFixture fixture(0, [&](TaskServiceConfig &config) { config.engineProgram = script; });
    QVERIFY(fixture.submit(ServiceFixture::task("doomed")).has_value());
    const Expected<TaskRecord> ended = fixture.ended("doomed");
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(ended->attempts, 3);
}

void DeathsTest::aStuckEngineIsKilled()
{
    ServiceFixture fixture(20, [](TaskServiceConfig &config) { config.agent.silenceMs = 1500; });
    QVERIFY(fixture.submit(ServiceFixture::task("stuck", 50)).has_value());
    QVERIFY(signalDuring(fixture, "stuck", SIGSTOP));
    const int stopped = enginePid();
    const Expected<TaskRecord> ended = fixture.ended("stuck");
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 1);
    QVERIFY(enginePid() != stopped);
}

void DeathsTest::aCancelledStuckTaskIsCancelled()
{
    ServiceFixture fixture(20, [](TaskServiceConfig &config) { config.agent.cancelMs = 1000; });
    QVERIFY(fixture.submit(ServiceFixture::task("stuck", 100)).has_value());
    QVERIFY(signalDuring(fixture, "stuck", SIGSTOP));
    const Expected<TaskRecord> cancelled = fixture.cancel("stuck");
    QCOMPARE(cancelled->state, TaskState::Cancelled);
    QCOMPARE(cancelled->attempts, 0);
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    QCOMPARE(fixture.ended("after")->state, TaskState::Succeeded);
}

void DeathsTest::aProgramThatIsNoEngine()
{
    ServiceFixture fixture(0, [](TaskServiceConfig &config) { config.engineProgram = "/bin/true"; });
    QVERIFY(fixture.submit(ServiceFixture::task("waits")).has_value());
    QTest::qWait(500);
    QVERIFY(!fixture.service().engineReady());
    QCOMPARE(fixture.find("waits")->state, TaskState::Waiting);
    QCOMPARE(fixture.find("waits")->attempts, 0);
    QCOMPARE(fixture.cancel("waits")->state, TaskState::Cancelled);
}

void DeathsTest::anEngineThatTalksNonsense()
{
    QTemporaryDir folder;
    const std::filesystem::path at(folder.path().toStdString());
    const std::string engine = std::string(SG_BIN_DIR) + "/serigraph-engine";
    // The real engine; two seconds after its start, bytes that are no frame come between its own.
    const std::string script = writeScript(at / "engine.sh", "(sleep 2; head -c 4096 /dev/zero) &\nexec " + engine +
                                                                 " --null --null-step-ms 20\n");
    ServiceFixture fixture(0, [&](TaskServiceConfig &config) { config.engineProgram = script; });
    QVERIFY(fixture.submit(ServiceFixture::task("noise", 150)).has_value());
    const Expected<TaskRecord> ended = fixture.ended("noise");
    QCOMPARE(ended->state, TaskState::Failed);
    QCOMPARE(ended->attempts, 3);
    QVERIFY2(ended->error.message.find("broke the protocol") != std::string::npos, ended->error.message.c_str());
    QVERIFY(fixture.files().empty());
}

QTEST_GUILESS_MAIN(DeathsTest)
#include "deaths_test.moc"
