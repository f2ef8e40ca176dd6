#include "core/control/agent.h"

#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>
#include <filesystem>
#include <fstream>

using namespace sg;

/// The Agent alone: with the real serigraph-engine --null, and with a program that says what a test wants said.
class AgentTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void readyFollowsTheEngine();
    void notReadyWhileLastWordsAreRead();
    void notReadyAfterStop();

private:
    static AgentConfig nullEngine();
    AgentConfig scripted(const std::string &lastWords);

    QTemporaryDir m_folder;
};

AgentConfig AgentTest::nullEngine()
{
    AgentConfig config;
    config.program = QStringLiteral(SG_BIN_DIR "/serigraph-engine");
    config.arguments = {QStringLiteral("--null")};
    config.backoffFirstMs = 20;
    return config;
}

/// An engine that says hello, waits for a request, says `lastWords` and stays.
AgentConfig AgentTest::scripted(const std::string &lastWords)
{
    const std::filesystem::path at(m_folder.path().toStdString());
    std::ofstream(at / "hello") << encodeFrame({{"type", "hello"}, {"id", ""}, {"protocol", 1}, {"version", "test"}});
    std::ofstream(at / "words") << lastWords;
    std::ofstream(at / "engine.sh") << "#!/bin/sh\ncd " << at.string()
                                    << "\ncat hello\nhead -c 9 > /dev/null\ncat words\nexec sleep 60\n";
    std::filesystem::permissions(at / "engine.sh", std::filesystem::perms::owner_all);
    AgentConfig config;
    config.program = QString::fromStdString((at / "engine.sh").string());
    config.backoffFirstMs = 60'000;
    return config;
}

void AgentTest::readyFollowsTheEngine()
{
    Agent agent(nullEngine());
    QSignalSpy spy(&agent, &Agent::readyChanged);
    QVERIFY(!agent.ready());
    agent.start();
    QVERIFY(!agent.ready());
    QTRY_VERIFY(agent.ready());
    const qint64 first = agent.processId();
    QVERIFY(first > 0 && ::kill(static_cast<pid_t>(first), SIGKILL) == 0);
    QTRY_COMPARE(spy.count(), 3);
    QCOMPARE(spy[0][0].toBool(), true);
    QCOMPARE(spy[1][0].toBool(), false);
    QCOMPARE(spy[2][0].toBool(), true);
    QVERIFY(agent.ready() && agent.processId() != first);
}

/// The Agent ends an engine that broke the protocol. What it had said before still counts, and whoever is told that
/// the run has finished must not give the next one to an engine that is gone.
void AgentTest::notReadyWhileLastWordsAreRead()
{
    const std::string garbage = "this is no frame";
    Agent agent(scripted(garbage + encodeFrame({{"type", "done"}, {"id", "run"}, {"images", 0}, {"seconds", 0}})));
    int finished = 0, readyThen = 0;
    connect(&agent, &Agent::finished, this, [&] {
        ++finished;
        readyThen += agent.ready();
    });
    QSignalSpy died(&agent, &Agent::died);
    agent.start();
    QTRY_VERIFY(agent.ready());
    agent.generate("run", {{"path", "/m"}}, Json::object());
    QTRY_COMPARE(finished, 1);
    QCOMPARE(readyThen, 0);
    QVERIFY(!agent.ready());
    QCOMPARE(died.count(), 0);
}

void AgentTest::notReadyAfterStop()
{
    Agent agent(nullEngine());
    agent.start();
    QTRY_VERIFY(agent.ready());
    QSignalSpy spy(&agent, &Agent::readyChanged);
    agent.stop();
    QVERIFY(!agent.ready());
    QCOMPARE(agent.processId(), 0);
    QTest::qWait(100);
    QVERIFY(!agent.ready());
    QCOMPARE(spy.count(), 0);
}

QTEST_GUILESS_MAIN(AgentTest)
#include "agent_test.moc"
