#include "ui/client/api_client.h"
#include "ui/client/api_decode.h"
#include "ui/client/task_watcher.h"
#include "ui/generate/generation_queue.h"
#include "ui/generate/progress_panel.h"
#include "ui/models/model_store.h"

#include <QLabel>
#include <QSignalSpy>
#include <QTcpServer>
#include <QTcpSocket>
#include <QTest>

#include <functional>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;

namespace {

/// A socket that notes what was asked for and answers as the test says: what leaves the window, byte by byte.
class Listener final : public QObject {
public:
    using Answer = std::function<QByteArray(const QByteArray &target)>;

    explicit Listener(Answer answer) : m_answer(std::move(answer))
    {
        m_server.listen(QHostAddress::LocalHost);
        connect(&m_server, &QTcpServer::newConnection, this, [this] {
            QTcpSocket *socket = m_server.nextPendingConnection();
            connect(socket, &QTcpSocket::disconnected, socket, &QObject::deleteLater);
            connect(socket, &QTcpSocket::readyRead, this, [this, socket] { take(socket); });
        });
    }
    QUrl url(const QString &path) const
    {
        return QUrl(u"http://127.0.0.1:%1%2"_s.arg(m_server.serverPort()).arg(path));
    }
    const QByteArrayList &asked() const { return m_asked; }

private:
    void take(QTcpSocket *socket)
    {
        const QByteArray head = socket->property("head").toByteArray() + socket->readAll();
        socket->setProperty("head", head);
        const qsizetype end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        const qsizetype at = head.toLower().indexOf("content-length:");
        if (at > 0 && head.size() < end + 4 + head.mid(at + 15, head.indexOf('\r', at) - at - 15).trimmed().toInt())
            return;
        const QByteArray line = head.left(head.indexOf('\r'));
        m_asked.append(line.left(line.lastIndexOf(' ')));
        socket->write(m_answer(line.split(' ').at(1)));
        socket->disconnectFromHost();
    }

    Answer m_answer;
    QTcpServer m_server;
    QByteArrayList m_asked;
};

QByteArray reply(int status, const QByteArray &body)
{
    return "HTTP/1.1 " + QByteArray::number(status) +
           " X\r\nContent-Type: application/json\r\nContent-Length: " + QByteArray::number(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
}

QByteArray notFound(const QByteArray &)
{
    return reply(404, R"({"code":"not_found","message":"no such task","field":"id","requestId":"1"})");
}

}  // namespace

/// What the window sends, and what it makes of odd answers.
class ClientTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void theAddressesPrefixIsKept_data();
    void theAddressesPrefixIsKept();
    void namesAreEncodedOnce();
    void aTaskThatIsGoneEnds();
    void aServerThatIsAwayIsWaitedFor();
    void loadingIsShown();
    void aChoiceCountsBeforeItIsAnswered();
};

void ClientTest::aChoiceCountsBeforeItIsAnswered()
{
    Listener listener([](const QByteArray &target) {
        return target == "/models"
                   ? reply(200, R"([{"type":"stableDiffusion","name":"a","status":"unloaded","choices":{"ema":true}}])")
                   : notFound(target);
    });
    ApiClient client(listener.url({}), {});
    ModelStore store(client);
    QSignalSpy changed(&store, &ModelStore::modelsChanged);
    store.refresh();
    QTRY_COMPARE(changed.count(), 1);
    const Json choices{{"ema", true}, {"prediction", "v"}};
    store.choose(u"a"_s, choices);
    QCOMPARE(changed.count(), 2);
    QVERIFY(store.models().front().choices == choices);
    QTRY_COMPARE(changed.count(), 3);  // this server goes on saying otherwise
    QVERIFY(store.models().front().choices == Json({{"ema", true}}));
}

void ClientTest::theAddressesPrefixIsKept_data()
{
    QTest::addColumn<QString>("given");
    QTest::addColumn<QByteArray>("prefix");
    QTest::newRow("none") << QString() << QByteArray();
    QTest::newRow("slash") << u"/"_s << QByteArray();
    QTest::newRow("prefix") << u"/draw/sg"_s << QByteArray("/draw/sg");
    QTest::newRow("slash at the end") << u"/draw/"_s << QByteArray("/draw");
    QTest::newRow("encoded") << u"/a%20b%2Fc"_s << QByteArray("/a%20b%2Fc");
    QTest::newRow("query and fragment") << u"/draw?x=1#y"_s << QByteArray("/draw");
}

void ClientTest::theAddressesPrefixIsKept()
{
    QFETCH(QString, given);
    QFETCH(QByteArray, prefix);
    Listener listener(notFound);
    ApiClient client(listener.url(given), {});
    int answers = 0;
    const auto count = [&](const auto &) { ++answers; };
    client.models(this, count);
    client.logs(5, this, count);
    client.picture(u"/files/images/a_1.png?signature=a%2Bb"_s, this, count);
    client.picture(listener.url(u"/elsewhere/a.png"_s).toString(), this, count);
    QTRY_COMPARE(answers, 4);
    QByteArrayList asked = listener.asked();
    std::sort(asked.begin(), asked.end());
    QByteArrayList wanted{"GET /elsewhere/a.png", "GET " + prefix + "/files/images/a_1.png?signature=a%2Bb",
                          "GET " + prefix + "/logs?after=5&limit=1000", "GET " + prefix + "/models"};
    std::sort(wanted.begin(), wanted.end());
    QCOMPARE(asked, wanted);
}

void ClientTest::namesAreEncodedOnce()
{
    Listener listener(notFound);
    ApiClient client(listener.url(u"/p"_s), {});
    int answers = 0;
    client.progress(u"a b/c%d?e"_s, this, [&](const auto &) { ++answers; });
    QTRY_COMPARE(answers, 1);
    QCOMPARE(listener.asked(), QByteArrayList{"GET /p/tasks/a%20b%2Fc%25d%3Fe/progress"});
}

/// The server was started anew with another data folder, for example.
void ClientTest::aTaskThatIsGoneEnds()
{
    Listener listener([](const QByteArray &target) {
        return target == "/txt2img" ? reply(200, R"({"taskId":"gone","status":"waiting"})") : notFound(target);
    });
    ApiClient client(listener.url({}), {});
    GenerationQueue queue(client);
    QSignalSpy failed(&queue, &GenerationQueue::failed);
    QSignalSpy ended(&queue, &GenerationQueue::ended);
    queue.submit(Json{{"prompt", "a"}});
    QTRY_COMPARE(ended.count(), 1);
    QCOMPARE(ended.front().at(0).toString(), u"gone"_s);
    QCOMPARE(failed.count(), 1);
    const auto error = failed.front().front().value<Error>();
    QVERIFY2(error.message.find("does not know the task") != std::string::npos, error.message.c_str());
    QCOMPARE(queue.pending(), 0);
    const qsizetype asked = listener.asked().size();
    QTest::qWait(1200);  // three polls
    QCOMPARE(listener.asked().size(), asked);
}

void ClientTest::aServerThatIsAwayIsWaitedFor()
{
    int polls = 0;
    Listener listener([&](const QByteArray &target) {
        if (!target.endsWith("/progress")) return reply(503, "{}");
        return ++polls < 3 ? reply(503, R"({"code":"unavailable","message":"starting","field":""})")
                           : reply(200, R"({"taskId":"t","status":"cancelled","progress":0})");
    });
    ApiClient client(listener.url({}), {});
    TaskWatcher watcher(client, u"t"_s);
    QSignalSpy finished(&watcher, &TaskWatcher::finished);
    QSignalSpy lost(&watcher, &TaskWatcher::lost);
    watcher.start();
    QTRY_COMPARE(finished.count(), 1);
    QCOMPARE(finished.front().front().toString(), u"cancelled"_s);
    QCOMPARE(lost.count(), 0);
    QVERIFY(polls >= 3);
}

void ClientTest::loadingIsShown()
{
    ProgressPanel panel;
    panel.setPending(1);
    const auto textAfter = [&](Json json) {
        json["status"] = "running";
        panel.setProgress(*decodeProgress(json));
        return panel.findChild<QLabel *>(u"progressText"_s)->text();
    };
    QCOMPARE(textAfter({{"loading", 0.426}}), u"Loading the model: 42 %"_s);
    QCOMPARE(textAfter({{"loading", 1.0}}), u"Making the networks…"_s);
    QCOMPARE(textAfter({{"loading", nullptr}, {"state", {{"sampling_step", 3}, {"sampling_steps", 20}}}}),
             u"Step 3 of 20"_s);
}

QTEST_MAIN(ClientTest)
#include "client_test.moc"
