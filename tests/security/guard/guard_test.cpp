// ApiGuard and QHttpServer with shrunken limits: what takes time or memory at full size. raw_requests.py has the rest,
// at full size.
#include "core/server/listener.h"

#include "tests/security/guard/raw_client.h"

#include <QElapsedTimer>
#include <QTest>
#include <QThread>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

using namespace sg;
using namespace sg::http;
using sg::test::RawClient;

namespace {

HttpLimits smallLimits()
{
    HttpLimits limits;
    limits.headBytes = 2048;
    limits.urlBytes = 512;
    limits.fields = 10;
    limits.bodyBytes = 1 << 20;
    limits.bodiesBytes = 3 << 20;
    limits.connections = 40;
    limits.headMs = 1500;
    limits.idleMs = 1500;
    limits.bodyGraceMs = 1500;
    limits.bodyRate = 20'000;
    limits.writeStallMs = 2000;
    limits.lingerMs = 300;
    limits.keepAliveMs = 200;
    limits.eventBytes = 64 * 1024;
    limits.tickMs = 50;
    return limits;
}

int statusOf(const std::string &answer)
{
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}

}  // namespace

class GuardTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();

    void sizes();
    void silentClients();
    void slowHead();
    void slowBody();
    void idleBody();
    void stalledReader();
    void bigAnswerArrivesWhole();
    void tooManyBodies();
    void tooManyConnections();
    void slowClientsDoNotStopOthers();
    void eventsKeepAliveAndDrop();
    void abandonedAnswers();
    void unansweredRequest();
    void throwingHandler();
    void lateAnswers();
    void tokens();

private:
    std::string head(const std::string &line, const std::string &fields = {}) const;
    std::string ask(const std::string &bytes, int patienceMs = 10'000) const;
    int openConnections();
    void mount();

    QThread m_thread;
    QObject m_there;  ///< lives in the server's thread
    Router m_router;
    std::unique_ptr<server::Listener> m_listener;
    std::unique_ptr<server::Listener> m_secret;
    std::vector<DeferredReply> m_kept;    ///< touched only in the server's thread
    std::vector<std::jthread> m_threads;  ///< likewise
    std::uint16_t m_port = 0;
    std::uint16_t m_secretPort = 0;
};

void GuardTest::mount()
{
    const RouteDoc body{.summary = {}, .tag = {}, .body = Json::object(), .answer = {}};
    m_router.answer("GET", "/hello", {}, [](const HttpRequest &) -> Expected<Reply> { return Reply::json("hello"); });
    m_router.answer("GET", "/big", {}, [](const HttpRequest &) -> Expected<Reply> {
        return Reply{200, "text/plain", std::string(8u << 20, 'x'), {}, "no-store"};
    });
    m_router.answer("POST", "/echo", body,
                    [](const HttpRequest &request) -> Expected<Reply> { return Reply::json(request.body.size()); });
    m_router.answer("GET", "/throw", {},
                    [](const HttpRequest &) -> Expected<Reply> { throw std::runtime_error("secret detail"); });
    m_router.defer("GET", "/forget", {}, [](const HttpRequest &, DeferredReply) {});
    m_router.defer("GET", "/forget-elsewhere", {}, [this](const HttpRequest &, DeferredReply reply) {
        m_threads.emplace_back([last = std::move(reply)]() mutable {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            const DeferredReply gone = std::move(last);
        });
    });
    m_router.defer("GET", "/keep", {},
                   [this](const HttpRequest &, DeferredReply reply) { m_kept.push_back(std::move(reply)); });
    m_router.defer("GET", "/events", {}, [this](const HttpRequest &, DeferredReply reply) {
        reply.beginEvents();
        m_kept.push_back(std::move(reply));
    });
}

void GuardTest::initTestCase()
{
    mount();
    m_there.moveToThread(&m_thread);
    m_thread.start();
    bool good = false;
    QMetaObject::invokeMethod(
        &m_there,
        [&] {
            m_listener = std::make_unique<server::Listener>(m_router, smallLimits(), std::string());
            m_secret = std::make_unique<server::Listener>(m_router, smallLimits(), std::string("token-of-the-window"));
            good = m_listener->listen({}).has_value() && m_secret->listen({}).has_value();
            m_port = m_listener->port();
            m_secretPort = m_secret->port();
        },
        Qt::BlockingQueuedConnection);
    QVERIFY(good);
}

void GuardTest::cleanupTestCase()
{
    QMetaObject::invokeMethod(
        &m_there,
        [&] {
            m_kept.clear();
            m_listener.reset();
            m_secret.reset();
        },
        Qt::BlockingQueuedConnection);
    m_thread.quit();
    QVERIFY(m_thread.wait(10'000));
}

std::string GuardTest::head(const std::string &line, const std::string &fields) const
{
    return line + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(m_port) + "\r\n" + fields + "\r\n";
}

std::string GuardTest::ask(const std::string &bytes, int patienceMs) const
{
    const RawClient client(m_port);
    client.send(bytes);
    return client.readAll(patienceMs);
}

int GuardTest::openConnections()
{
    int open = 0;
    QMetaObject::invokeMethod(
        &m_there, [&] { open = m_listener->connectionCount(); }, Qt::BlockingQueuedConnection);
    return open;
}

void GuardTest::sizes()
{
    QCOMPARE(statusOf(ask(head("GET /hello"))), 200);
    QCOMPARE(statusOf(ask(head("GET /" + std::string(513, 'a')))), 414);
    QCOMPARE(statusOf(ask(head("GET /hello", "X: " + std::string(2048, 'a') + "\r\n"))), 431);
    std::string fields;
    for (int i = 0; i < 10; ++i)
        fields += "X: y\r\n";
    QCOMPARE(statusOf(ask(head("GET /hello", fields))), 431);
    const std::string json = "Content-Type: application/json\r\n";
    const std::string most = json + "Content-Length: 1048576\r\n";
    QCOMPARE(statusOf(ask(head("POST /echo", most) + std::string(1 << 20, 'x'))), 200);
    QCOMPARE(statusOf(ask(head("POST /echo", json + "Content-Length: 1048577\r\n"))), 413);
    // The answer arrives although the client is still sending.
    QCOMPARE(statusOf(ask(head("POST /echo", json + "Content-Length: 1048577\r\n") + std::string(1 << 20, 'x'))), 413);
}

void GuardTest::silentClients()
{
    QCOMPARE(ask(""), std::string());  // closed without a word
}

void GuardTest::slowHead()
{
    QCOMPARE(statusOf(ask("GET /hello HTTP/1.1\r\nHost: ")), 408);
    const RawClient dripping(m_port);
    const std::string bytes = head("GET /hello");
    bool open = true;
    for (std::size_t i = 0; open && i < bytes.size(); ++i) {
        open = dripping.send(bytes.substr(i, 1));
        QThread::msleep(100);
    }
    QCOMPARE(statusOf(dripping.readAll()), 408);
}

void GuardTest::slowBody()
{
    const RawClient dripping(m_port);
    dripping.send(head("POST /echo", "Content-Type: application/json\r\nContent-Length: 100000\r\n"));
    bool open = true;
    for (int i = 0; open && i < 200; ++i) {
        open = dripping.send("xx");
        QThread::msleep(20);
    }
    QCOMPARE(statusOf(dripping.readAll()), 408);
}

void GuardTest::idleBody()
{
    QCOMPARE(statusOf(ask(head("POST /echo", "Content-Type: application/json\r\nContent-Length: 100\r\n") + "half")),
             408);
}

void GuardTest::stalledReader()
{
    const RawClient client(m_port, 4096);
    client.send(head("GET /big"));
    QTRY_COMPARE_WITH_TIMEOUT(openConnections(), 0, 20'000);
    QVERIFY(client.readAll().size() < (8u << 20));
}

void GuardTest::bigAnswerArrivesWhole()
{
    const std::string answer = ask(head("GET /big"));
    QCOMPARE(answer.size() - answer.find("\r\n\r\n") - 4, std::size_t{8} << 20);
}

void GuardTest::tooManyBodies()
{
    const std::string promise = head("POST /echo", "Content-Type: application/json\r\nContent-Length: 1048576\r\n");
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(m_port));
        clients.back()->send(promise + "x");
    }
    QTRY_COMPARE(openConnections(), 3);
    QThread::msleep(100);
    QCOMPARE(statusOf(ask(promise)), 503);
    for (const auto &client : clients)
        QCOMPARE(statusOf(client->readAll()), 408);
    QCOMPARE(statusOf(ask(promise + std::string(1 << 20, 'x'))), 200);  // the budget is back
}

void GuardTest::tooManyConnections()
{
    QTRY_COMPARE(openConnections(), 0);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 40; ++i)
        clients.push_back(std::make_unique<RawClient>(m_port));
    QCOMPARE(statusOf(ask("")), 503);
    clients.clear();
    QTRY_COMPARE(openConnections(), 0);
    QCOMPARE(statusOf(ask(head("GET /hello"))), 200);
}

void GuardTest::slowClientsDoNotStopOthers()
{
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 30; ++i) {
        slow.push_back(std::make_unique<RawClient>(m_port));
        slow.back()->send("GET /hello HTTP/1.1\r\nX: ");
    }
    for (int i = 0; i < 20; ++i)
        QCOMPARE(statusOf(ask(head("GET /hello"))), 200);
    QTRY_COMPARE_WITH_TIMEOUT(openConnections(), 0, 20'000);
}

void GuardTest::eventsKeepAliveAndDrop()
{
    const RawClient client(m_port);
    client.send(head("GET /events"));
    QThread::msleep(700);
    QMetaObject::invokeMethod(
        &m_there,
        [&] {
            m_kept.back().event("state", {{"status", "done"}}, false);
            m_kept.back().endEvents();
            m_kept.clear();
        },
        Qt::BlockingQueuedConnection);
    const std::string answer = client.readAll();
    QVERIFY(answer.find(": still here") != std::string::npos);
    QVERIFY(answer.ends_with("event: state\ndata: {\"status\":\"done\"}\n\n"));
    QVERIFY(answer.find("Content-Length") == std::string::npos);

    // A reader that does not read: previews are dropped, memory stays, and at last it is cut off.
    const RawClient stalled(m_port, 4096);
    stalled.send(head("GET /events"));
    QTRY_COMPARE(openConnections(), 1);
    QThread::msleep(100);
    const Json picture = {{"image", std::string(30'000, 'x')}};
    QElapsedTimer clock;
    clock.start();
    while (openConnections() > 0 && clock.elapsed() < 20'000) {
        QMetaObject::invokeMethod(
            &m_there, [&] { m_kept.back().event("preview", picture, true); }, Qt::BlockingQueuedConnection);
        QThread::msleep(1);
    }
    QCOMPARE(openConnections(), 0);
    QVERIFY(stalled.readAll().size() < 8u << 20);
    QMetaObject::invokeMethod(
        &m_there, [&] { m_kept.clear(); }, Qt::BlockingQueuedConnection);
}

void GuardTest::abandonedAnswers()
{
    for (int i = 0; i < 200; ++i) {
        const RawClient client(m_port);
        client.send(head("GET /keep"));
        if (i % 2 == 0) QThread::msleep(1);
    }
    QTRY_COMPARE(openConnections(), 0);
    QMetaObject::invokeMethod(
        &m_there,
        [&] {
            for (const DeferredReply &reply : m_kept) {
                QVERIFY(!reply.connected());
                reply.send(Reply::json("too late"));
            }
            m_kept.clear();
        },
        Qt::BlockingQueuedConnection);
    QCOMPARE(statusOf(ask(head("GET /hello"))), 200);
}

void GuardTest::unansweredRequest()
{
    QCOMPARE(statusOf(ask(head("GET /forget"))), 500);
    // The last copy goes in another thread, when the server's has long returned; also when the client has gone before.
    QCOMPARE(statusOf(ask(head("GET /forget-elsewhere"))), 500);
}

void GuardTest::throwingHandler()
{
    const std::string answer = ask(head("GET /throw"));
    QCOMPARE(statusOf(answer), 500);
    QVERIFY(answer.find("secret detail") == std::string::npos);
}

void GuardTest::lateAnswers()
{
    const RawClient client(m_port);
    client.send(head("GET /keep"));
    QTRY_COMPARE(openConnections(), 1);
    QThread::msleep(3500);  // longer than every timeout of a request that is being read
    QMetaObject::invokeMethod(
        &m_there,
        [&] {
            m_kept.back().send(Reply::json("late"));
            m_kept.back().send(Reply::json("twice"));
            m_kept.clear();
        },
        Qt::BlockingQueuedConnection);
    const std::string answer = client.readAll();
    QCOMPARE(statusOf(answer), 200);
    QVERIFY(answer.ends_with("\"late\""));
}

void GuardTest::tokens()
{
    const auto askSecret = [&](const std::string &fields) {
        const RawClient client(m_secretPort);
        client.send("GET /hello HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(m_secretPort) + "\r\n" + fields +
                    "\r\n");
        return statusOf(client.readAll());
    };
    QCOMPARE(askSecret(""), 401);
    QCOMPARE(askSecret("Authorization: Bearer token-of-the-windoW\r\n"), 401);
    QCOMPARE(askSecret("Authorization: token-of-the-window\r\n"), 401);
    QCOMPARE(askSecret("Authorization: Bearer token-of-the-window\r\n"), 200);
}

QTEST_GUILESS_MAIN(GuardTest)
#include "guard_test.moc"
