#include "core/storage/database.h"
#include "tests/integration/agent/service_fixture.h"

using namespace sg;
using sg::test::ServiceFixture;

/// What is stored and what the running queue believes can differ: after a commit whose answer was an error, or when
/// another program has changed the row. Nothing stays stuck for it.
class LostAnswersTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aStaleEntryDoesNotStopTheQueue();
    void aSubmissionAgainBringsBackALostTask();
    void aLostAnswerOfTheClaimIsMended();
    void aLostAnswerOfTheEndIsMended();
};

namespace {

bool changeBehindItsBack(const ServiceFixture &fixture, const char *sql)
{
    const auto database = Database::open(fixture.data() / "serigraph.db");
    return database && (*database)->change(sql).has_value();
}

/// From now on a change to this state happens and is answered with an error.
bool loseAnswers(const ServiceFixture &fixture, TaskState state)
{
    const std::string sql =
        "CREATE TRIGGER lost_answer AFTER UPDATE ON tasks WHEN NEW.state = " + std::to_string(static_cast<int>(state)) +
        " BEGIN SELECT RAISE(FAIL, 'lost'); END";
    return changeBehindItsBack(fixture, sql.c_str());
}

}  // namespace

/// A task that is no longer waiting in the database, but still is in memory: it is passed over.
void LostAnswersTest::aStaleEntryDoesNotStopTheQueue()
{
    ServiceFixture fixture(20);
    QVERIFY(fixture.submit(ServiceFixture::task("busy", 100)).has_value());
    QVERIFY(fixture.running("busy"));
    QVERIFY(fixture.submit(ServiceFixture::task("stale")).has_value());
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    QVERIFY(changeBehindItsBack(fixture, "UPDATE tasks SET state = 4, ended_ms = 1 WHERE id = 'stale'"));
    QCOMPARE(fixture.cancel("busy")->state, TaskState::Cancelled);
    QCOMPARE(fixture.ended("after", 20'000)->state, TaskState::Succeeded);
    QCOMPARE(fixture.find("stale")->state, TaskState::Cancelled);
}

/// The first submission was stored, but its client got an error and the queue does not know the task: here the row
/// comes from elsewhere.
void LostAnswersTest::aSubmissionAgainBringsBackALostTask()
{
    ServiceFixture fixture(0);
    NewTask task = ServiceFixture::task("first");
    QVERIFY(fixture.submit(task).has_value());
    QCOMPARE(fixture.ended("first")->state, TaskState::Succeeded);
    QVERIFY(changeBehindItsBack(
        fixture, "INSERT INTO tasks (id, user, model, state, params, body, body_hash, notes, image_count, "
                 "created_ms) SELECT 'lost', user, model, 0, params, body, body_hash, notes, "
                 "image_count, created_ms FROM tasks WHERE id = 'first'"));
    QVERIFY(fixture.submit(ServiceFixture::task("other")).has_value());
    QCOMPARE(fixture.ended("other")->state, TaskState::Succeeded);
    QCOMPARE(fixture.find("lost")->state, TaskState::Waiting);
    task.id = "lost";
    QVERIFY(fixture.submit(task).has_value());
    QCOMPARE(fixture.ended("lost", 20'000)->state, TaskState::Succeeded);
}

/// The commit that made the task running went through, and its answer was an error.
void LostAnswersTest::aLostAnswerOfTheClaimIsMended()
{
    ServiceFixture fixture(20);
    QVERIFY(fixture.submit(ServiceFixture::task("busy", 100)).has_value());
    QVERIFY(fixture.running("busy"));
    QVERIFY(fixture.submit(ServiceFixture::task("lost")).has_value());
    QVERIFY(loseAnswers(fixture, TaskState::Running));
    QVERIFY(fixture.cancel("busy").has_value());
    QTest::qWait(200);
    QVERIFY(fixture.service().runningTask().empty());
    QVERIFY(changeBehindItsBack(fixture, "DROP TRIGGER lost_answer"));
    const Expected<TaskRecord> ended = fixture.ended("lost", 20'000);
    QCOMPARE(ended->state, TaskState::Succeeded);
    QCOMPARE(ended->attempts, 0);
}

/// The same for the commit that ended it: the client that cancelled gets its reply, and the queue goes on.
void LostAnswersTest::aLostAnswerOfTheEndIsMended()
{
    ServiceFixture fixture(20);
    QVERIFY(fixture.submit(ServiceFixture::task("busy", 200)).has_value());
    QVERIFY(fixture.running("busy"));
    QVERIFY(fixture.submit(ServiceFixture::task("after")).has_value());
    QVERIFY(loseAnswers(fixture, TaskState::Cancelled));
    const Expected<TaskRecord> cancelled = fixture.cancel("busy");
    QVERIFY(cancelled.has_value());
    QCOMPARE(cancelled->state, TaskState::Cancelled);
    QCOMPARE(fixture.ended("after", 20'000)->state, TaskState::Succeeded);
}

QTEST_GUILESS_MAIN(LostAnswersTest)
#include "lost_answers_test.moc"
