#include "core/control/progress_board.h"
#include "core/control/task_queue.h"
#include "core/params/generation_request.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>

using namespace sg;

class TaskQueueTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init();
    void cleanup();
    void onlyTheAllowedChangesHappen();
    void aResultComesBack();
    void oneCommitForMany();
    void aLostAnswerIsMendedByTheSameSubmission();
    void recoverChargesNothing();
    void releaseKeepsThePlace();
    void imageNames();
    void waitingList();
    void progressBoard();

private:
    static NewTask task(const std::string &id, const std::string &user = "default")
    {
        NewTask task;
        task.id = id;
        task.user = user;
        task.model = "m";
        task.values = ParamValues::defaults(ParamTable::standard());
        task.values.set("batch_size", std::int64_t{2});
        task.values.set("n_iter", std::int64_t{3});
        task.body = {{"prompt", id}};
        task.notes = {"a note"};
        return task;
    }
    void open()
    {
        auto opened = Database::open(std::filesystem::path(m_dir->path().toStdString()) / "queue.db");
        QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
        m_database = std::move(*opened);
        m_waiting.clear();
        m_queue = std::make_unique<TaskQueue>(*m_database, m_waiting, ParamTable::standard(), TaskQueue::Limits{});
    }

    std::unique_ptr<QTemporaryDir> m_dir;
    std::unique_ptr<Database> m_database;
    WaitingList m_waiting;
    std::unique_ptr<TaskQueue> m_queue;
};

void TaskQueueTest::init()
{
    m_dir = std::make_unique<QTemporaryDir>();
    open();
}

void TaskQueueTest::cleanup()
{
    m_queue.reset();
    m_database.reset();
    m_dir.reset();
}

void TaskQueueTest::onlyTheAllowedChangesHappen()
{
    const Error reason{ErrorCode::Cancelled, "why", "what"};
    QVERIFY(m_queue->insert({task("a")}).front()->isNew);
    QCOMPARE(m_queue->succeed("a", {}).error().code, ErrorCode::Conflict);
    QCOMPARE(m_queue->release("a", false).error().code, ErrorCode::Conflict);
    QCOMPARE(m_queue->end("a", TaskState::Running, TaskState::Failed, reason).error().code, ErrorCode::Conflict);
    QCOMPARE(m_queue->claim("a")->state, TaskState::Running);
    QCOMPARE(m_queue->claim("a").error().code, ErrorCode::Conflict);
    QCOMPARE(m_queue->end("a", TaskState::Waiting, TaskState::Cancelled, reason).error().code, ErrorCode::Conflict);
    const Expected<TaskRecord> failed = m_queue->end("a", TaskState::Running, TaskState::Failed, reason, true);
    QCOMPARE(failed->state, TaskState::Failed);
    QVERIFY(failed->error == reason);
    QCOMPARE(failed->attempts, 1);
    for (const auto &again : {m_queue->claim("a"), m_queue->succeed("a", {}), m_queue->release("a", true),
                              m_queue->end("a", TaskState::Running, TaskState::Cancelled, reason)})
        QCOMPARE(again.error().code, ErrorCode::Conflict);
    QCOMPARE(m_queue->find("a")->state, TaskState::Failed);
    QCOMPARE(m_queue->find("b").error().code, ErrorCode::NotFound);
    // A failed success leaves no result row behind.
    auto query = m_database->run("SELECT COUNT(*) FROM results");
    QVERIFY(query->next());
    QCOMPARE(query->value(0).toInt(), 0);
}

void TaskQueueTest::aResultComesBack()
{
    QVERIFY(m_queue->insert({task("a")}).front().has_value());
    QVERIFY(m_queue->claim("a").has_value());
    const std::int64_t large = 4'294'967'295;
    QVERIFY(m_queue
                ->succeed("a", {{"images/default/a_1.png", "text\nwith lines", large, 1},
                                {"images/default/a_2.png", "", 2, 3}})
                .has_value());
    const Expected<TaskRecord> record = m_queue->find("a");
    QCOMPARE(record->images, (std::vector<std::string>{"images/default/a_1.png", "images/default/a_2.png"}));
    QCOMPARE(record->infotexts, (std::vector<std::string>{"text\nwith lines", ""}));
    QCOMPARE(record->seeds, (std::vector<std::int64_t>{large, 2}));
    QCOMPARE(record->subseeds, (std::vector<std::int64_t>{1, 3}));
    QCOMPARE(record->notes, std::vector<std::string>{"a note"});
    QVERIFY(record->body == Json({{"prompt", "a"}}));
    QCOMPARE(record->params["batch_size"].get<int>(), 2);
    QVERIFY(record->endedMs >= record->startedMs);
}

/// The commit went through and its answer was an error: the task is stored, and nobody waits for it. The client submits
/// it again.
void TaskQueueTest::aLostAnswerIsMendedByTheSameSubmission()
{
    QVERIFY(m_queue->insert({task("a")}).front()->isNew);
    m_waiting.clear();
    const auto again = m_queue->insert({task("a")}).front();
    QVERIFY(again && !again->isNew);
    QCOMPARE(m_waiting.front(), std::optional<std::string>("a"));
    QCOMPARE(m_waiting.count("default"), 1);
    QVERIFY(m_queue->claim("a").has_value());
    QVERIFY(m_queue->insert({task("a")}).front().has_value());
    QCOMPARE(m_waiting.count(), 0);
}

void TaskQueueTest::oneCommitForMany()
{
    std::vector<NewTask> tasks;
    for (int i = 0; i < 50; ++i)
        tasks.push_back(task("t" + std::to_string(i)));
    tasks.push_back(task("t3"));
    tasks.push_back(task("t3", "another"));
    const auto answers = m_queue->insert(tasks);
    for (int i = 0; i < 50; ++i)
        QVERIFY(answers[static_cast<std::size_t>(i)]->isNew);
    QVERIFY(answers[50].has_value() && !answers[50]->isNew);
    QCOMPARE(answers[51].error().code, ErrorCode::Conflict);
    QCOMPARE(m_waiting.count(), 50);
    QCOMPARE(*m_waiting.front(), std::string("t0"));
    QCOMPARE(m_queue->list(2, 1)->front().id, std::string("t48"));
}

void TaskQueueTest::recoverChargesNothing()
{
    QVERIFY(m_queue->insert({task("a"), task("b"), task("c")}).back().has_value());
    QVERIFY(m_queue->claim("a").has_value());
    QVERIFY(m_queue->release("a", true).has_value());
    QVERIFY(m_queue->claim("a").has_value());
    QVERIFY(m_queue->claim("c").has_value());
    QVERIFY(m_queue->succeed("c", {}).has_value());
    m_queue.reset();
    m_database.reset();
    open();
    QCOMPARE(*m_queue->recover(), 1);
    QCOMPARE(m_queue->find("a")->state, TaskState::Waiting);
    QCOMPARE(m_queue->find("a")->attempts, 1);
    QCOMPARE(*m_waiting.front(), std::string("a"));
    QCOMPARE(m_waiting.count(), 2);
    QCOMPARE(m_queue->find("c")->state, TaskState::Succeeded);
}

void TaskQueueTest::releaseKeepsThePlace()
{
    QVERIFY(m_queue->insert({task("a"), task("b")}).back().has_value());
    QVERIFY(m_queue->claim("a").has_value());
    QCOMPARE(*m_waiting.front(), std::string("b"));
    QVERIFY(m_queue->release("a", true).has_value());
    QCOMPARE(*m_waiting.front(), std::string("a"));
    QCOMPARE(m_queue->find("a")->attempts, 1);
}

void TaskQueueTest::imageNames()
{
    QVERIFY(m_queue->insert({task("a", "some one")}).front().has_value());
    const Expected<TaskRecord> record = m_queue->find("a");
    QCOMPARE(imageCount(*record), 6);
    QCOMPARE(imagePath(*record, 0), std::string("images/some one/a_1.png"));
    QCOMPARE(imagePath(*record, 9), std::string("images/some one/a_10.png"));
}

void TaskQueueTest::waitingList()
{
    WaitingList list;
    for (const int n : {5, 1, 9, 3})
        list.add(n, "id" + std::to_string(n), n % 2 ? "odd" : "even");
    list.add(1, "id1", "odd");
    QCOMPARE(list.count(), 4);
    QCOMPARE(list.count("odd"), 4);
    QCOMPARE(*list.front(), std::string("id1"));
    QCOMPARE(*list.position("id9"), 3);
    list.remove("id3");
    list.remove("id3");
    QCOMPARE(*list.position("id9"), 2);
    QVERIFY(!list.position("id3").has_value());
    QCOMPARE(list.count("odd"), 3);
}

void TaskQueueTest::progressBoard()
{
    ProgressBoard board;
    board.start("a", 4);
    QCOMPARE(board.running(), std::string("a"));
    board.load("a", {{"bytes", 30}, {"total", 40}});
    QCOMPARE(*board.find("a")->loading, 0.75);
    board.load("a", {{"bytes", 30}, {"total", 0}});
    QCOMPARE(*board.find("a")->loading, 0.75);
    board.advance("a", {{"step", 3}, {"steps", 20}, {"fraction", 1.5}, {"eta", -3}, {"rate", "fast"}, {"sigma", 2.5}});
    board.preview("a", "one");
    board.preview("a", "two");
    const TaskProgress progress = *board.find("a");
    QVERIFY(!progress.loading);
    QCOMPARE(progress.step, 3);
    QCOMPARE(progress.images, 4);
    QCOMPARE(progress.fraction, 0.99);
    QCOMPARE(progress.etaSeconds, 0.0);
    QCOMPARE(progress.rate, 0.0);
    QCOMPARE(progress.preview, std::string("two"));
    QCOMPARE(progress.previewNumber, std::uint64_t{2});
    board.end("a", TaskState::Succeeded);
    board.advance("a", {{"fraction", 0.1}});
    QCOMPARE(board.find("a")->fraction, 1.0);
    QVERIFY(board.running().empty());
    board.start("b", 1);
    board.drop("b");
    QVERIFY(!board.find("b").has_value());
    for (int i = 0; i < 2000; ++i)
        board.end("e" + std::to_string(i), TaskState::Failed);
    QVERIFY(!board.find("a").has_value());
    QVERIFY(board.find("e1999").has_value());
}

QTEST_GUILESS_MAIN(TaskQueueTest)
#include "task_queue_test.moc"
