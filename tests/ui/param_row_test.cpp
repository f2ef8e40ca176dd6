#include "core/engine/engine_server.h"
#include "core/engine/null_backend.h"
#include "core/picture/infotext.h"
#include "core/server/parameters_page.h"
#include "tests/support/http_ask.h"
#include "tests/ui/desktop_fixture.h"
#include "ui/client/api_decode.h"
#include "ui/generate/generate_page.h"
#include "ui/generate/param_form.h"
#include "ui/generate/param_model.h"

#include <QApplication>
#include <QDoubleSpinBox>
#include <QTest>

#include <unistd.h>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;
using sg::test::Answer;
using sg::test::ask;

namespace {

ParamTable longerTable()
{
    ParamTable table = ParamTable::standard();
    ParamSpec row;
    row.key = "test_row";
    row.label = "Test row";
    row.help = "Added by a test.";
    row.group = ParamGroup::Sampling;
    row.type = ParamType::Number;
    row.defaultValue = 0.5;
    row.formValue = 0.5;
    row.minimum = 0;
    row.maximum = 3;
    row.step = 0.1;
    row.infotextKey = "Test row";
    table.add(row);
    return table;
}

Json small(const Json &testRow)
{
    return {{"prompt", "a star"}, {"stable_diffusion_model", "starter"}, {"steps", 1}, {"width", 64}, {"height", 64},
            {"test_row", testRow}};
}

/// This program as the engine: the null one, with the longer table.
int serveAsEngine()
{
    const int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);
    const auto backend = []() -> Expected<std::unique_ptr<engine::Backend>> {
        return std::make_unique<engine::NullBackend>(std::chrono::milliseconds(0));
    };
    return engine::EngineServer(in, out, backend, {}, longerTable()).run();
}

}  // namespace

/// One row more in the parameter table, and nothing else, is a field of the HTTP body, a widget of the window, a
/// property in the OpenAPI document, a line of the documentation and a pair of the infotext: the real server and the
/// real engine protocol with the longer table, asked through sockets.
class ParamRowTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void http();
    void webui();
    void aBadValueIsRefused();
    void withoutTheRow();
    void form();
    void openApi();
    void docs();

private:
    Answer result(const std::string &url, const std::string &id) const;
    std::string url() { return m_desktop.services().publicUrl(); }

    test::DesktopFixture m_desktop{test::DesktopFixture::Engine::Null, 0};
};

void ParamRowTest::initTestCase()
{
    m_desktop.config().table = longerTable();
    m_desktop.config().engineProgram = QCoreApplication::applicationFilePath().toStdString();
    m_desktop.config().engineArguments = {"--engine"};
    m_desktop.config().listenPublic = true;
    QCOMPARE(m_desktop.start(), QString());
    QTRY_VERIFY_WITH_TIMEOUT(!ask(url(), "", "GET /models").body.empty(), 30'000);
}

/// The result of a task that has ended.
Answer ParamRowTest::result(const std::string &url, const std::string &id) const
{
    Answer answer;
    (void)QTest::qWaitFor(
        [&] {
            answer = ask(url, "", "GET /tasks/" + id + "/result");
            return answer.status != 200 || answer.body.contains("images") || answer.body.contains("message");
        },
        30'000);
    return answer;
}

void ParamRowTest::http()
{
    const Answer accepted = ask(url(), "", "POST /txt2img\r\nRequest-Type: async", dumpJson(small(1.25)));
    QCOMPARE(accepted.status, 200);
    const Answer ended = result(url(), accepted.body["taskId"].get<std::string>());
    QVERIFY2(ended.body.contains("images"), dumpJson(ended.body).c_str());
    QCOMPARE(ended.body["parameters"]["test_row"].get<double>(), 1.25);
    const std::string text = ended.body["info"]["infotexts"][0].get<std::string>();
    QVERIFY2(text.find("Test row: 1.25") != std::string::npos, text.c_str());
    const Expected<ParsedInfotext> read = parseInfotext(text, longerTable());
    QVERIFY(read.has_value());
    QCOMPARE(read->params["test_row"].get<double>(), 1.25);
}

void ParamRowTest::webui()
{
    const Answer made = ask(url(), "", "POST /sdapi/v1/txt2img", dumpJson(small(2.5)));
    QCOMPARE(made.status, 200);
    QCOMPARE(made.body["parameters"]["test_row"].get<double>(), 2.5);
    const Expected<Json> info = parseJson(made.body["info"].get<std::string>());
    QVERIFY(info.has_value());
    QVERIFY((*info)["infotexts"][0].get<std::string>().find("Test row: 2.5") != std::string::npos);
    // The default is not written.
    const Answer plain = ask(url(), "", "POST /sdapi/v1/txt2img", dumpJson(small(nullptr)));
    QCOMPARE(plain.status, 200);
    QVERIFY(plain.body["info"].get<std::string>().find("Test row") == std::string::npos);
}

void ParamRowTest::aBadValueIsRefused()
{
    for (const Json &bad : {Json(4), Json(-0.5), Json("much"), Json::array()}) {
        const Answer refused = ask(url(), "", "POST /txt2img", dumpJson(small(bad)));
        QCOMPARE(refused.status, 400);
        QCOMPARE(refused.body["field"].get<std::string>(), std::string("test_row"));
        const Answer webui = ask(url(), "", "POST /sdapi/v1/txt2img", dumpJson(small(bad)));
        QCOMPARE(webui.status, 422);
        QVERIFY(webui.body["detail"][0]["loc"] == Json({"body", "test_row"}));
    }
}

/// What the other tests find comes from the row.
void ParamRowTest::withoutTheRow()
{
    test::DesktopFixture plain{test::DesktopFixture::Engine::Null, 0};
    plain.config().listenPublic = true;
    QCOMPARE(plain.start(), QString());
    const std::string at = plain.services().publicUrl();
    QTRY_VERIFY_WITH_TIMEOUT(!ask(at, "", "GET /models").body.empty(), 30'000);
    const Answer accepted = ask(at, "", "POST /txt2img\r\nRequest-Type: async", dumpJson(small(4)));
    QCOMPARE(accepted.status, 200);
    const Answer ended = result(at, accepted.body["taskId"].get<std::string>());
    QVERIFY2(ended.body.contains("images"), dumpJson(ended.body).c_str());
    QVERIFY(!ended.body["parameters"].contains("test_row"));
    QVERIFY(dumpJson(ask(at, "", "GET /openapi.json").body).find("\"test_row\"") == std::string::npos);
}

void ParamRowTest::form()
{
    const Expected<ParamTable> received = decodeParameters(ask(url(), "", "GET /parameters").body);
    QVERIFY(received.has_value());
    QVERIFY(received->specs() == longerTable().specs());
    // The window knows the standard rows until the server has told its own.
    QVERIFY(m_desktop.openWindow());
    ParamForm &form = m_desktop.window().generatePage().form();
    QTRY_VERIFY(qobject_cast<QDoubleSpinBox *>(form.editor(u"test_row"_s)));
    auto *box = qobject_cast<QDoubleSpinBox *>(form.editor(u"test_row"_s));
    QCOMPARE(box->maximum(), 3.0);
    QCOMPARE(box->toolTip(), u"Added by a test."_s);
    box->setValue(2.5);
    QCOMPARE(m_desktop.window().generatePage().parameters().request()["test_row"].get<double>(), 2.5);
    m_desktop.closeWindow();
}

void ParamRowTest::openApi()
{
    const Json document = ask(url(), "", "GET /openapi.json").body;
    for (const char *name : {"TextToImage", "ImageToImage", "WebuiTextToImage"}) {
        const Json &schema = document["components"]["schemas"][name]["properties"]["test_row"];
        QCOMPARE(schema["type"].get<std::string>(), std::string("number"));
        QCOMPARE(schema["maximum"].get<double>(), 3.0);
    }
}

void ParamRowTest::docs()
{
    const std::string page = server::parametersMarkdown(longerTable());
    QVERIFY(page.find("| `test_row` | ti | Test row: Added by a test. | 0 to 3") != std::string::npos);
}

int main(int count, char **words)
{
    if (count > 1 && std::string_view(words[1]) == "--engine") return serveAsEngine();
    QApplication application(count, words);
    ParamRowTest test;
    return QTest::qExec(&test, count, words);
}
#include "param_row_test.moc"
