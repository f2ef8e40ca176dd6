#include "core/server/http/reply.h"
#include "core/server/openapi.h"
#include "core/server/parameters_page.h"
#include "core/server/webui_errors.h"

#include <QFile>
#include <QTest>

using namespace sg;

class PagesTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void parametersPageIsCurrent();
    void anotherRowIsEverywhere();
    void limitsAreShown();
    void everyErrorHasAStatus();
    void webuiErrors();
};

void PagesTest::parametersPageIsCurrent()
{
    QFile file(QStringLiteral(SG_SOURCE_DIR "/docs/parameters.md"));
    const std::string made = server::parametersMarkdown(ParamTable::standard());
    if (qEnvironmentVariableIsSet("SG_UPDATE_DOCS")) {
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(made.data(), static_cast<qint64>(made.size()));
        file.close();
    }
    QVERIFY(file.open(QIODevice::ReadOnly));
    QVERIFY2(file.readAll().toStdString() == made, "docs/parameters.md is stale: run this test with SG_UPDATE_DOCS=1");
}

void PagesTest::anotherRowIsEverywhere()
{
    ParamTable table = ParamTable::standard();
    ParamSpec row;
    row.key = "wobble";
    row.label = "Wobble";
    row.help = "How much it wobbles.";
    row.type = ParamType::Integer;
    row.defaultValue = std::int64_t{3};
    row.formValue = std::int64_t{4};
    row.minimum = 1;
    row.maximum = 9;
    table.add(row);
    QVERIFY(server::parametersMarkdown(table).find(
                "| `wobble` | ti | Wobble: How much it wobbles. | 1 to 9 | `3` | `4` |") != std::string::npos);
    const Json page = server::parametersJson(table);
    QCOMPARE(page["parameters"].back()["key"].get<std::string>(), std::string("wobble"));
    QCOMPARE(page["parameters"].back()["maximum"].get<int>(), 9);
    const Json document = server::openApiDocument(http::Router(), table);
    for (const char *name : {"TextToImage", "WebuiTextToImage"}) {
        const Json &schema = document["components"]["schemas"][name]["properties"]["wobble"];
        QCOMPARE(schema["type"].get<std::string>(), std::string("integer"));
        QCOMPARE(schema["maximum"].get<int>(), 9);
    }
}

void PagesTest::limitsAreShown()
{
    const ParamTable table = ParamTable::standard().limited({.side = 64, .steps = 2, .batchSize = 1, .iterations = 1});
    const Json document = server::openApiDocument(http::Router(), table);
    const Json &properties = document["components"]["schemas"]["TextToImage"]["properties"];
    QCOMPARE(properties["width"]["maximum"].get<int>(), 64);
    QCOMPARE(properties["steps"]["maximum"].get<int>(), 2);
    QCOMPARE(properties["steps"]["default"].get<int>(), 2);
    QCOMPARE(properties["batch_size"]["maximum"].get<int>(), 1);
}

void PagesTest::everyErrorHasAStatus()
{
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        const http::Reply reply = http::errorReply({code, "message", "field"}, "id");
        QVERIFY(reply.status >= 400 && reply.status < 600);
        QVERIFY(!http::reasonPhrase(reply.status).empty());
        const Expected<Json> body = parseJson(reply.body);
        QVERIFY(body.has_value());
        QCOMPARE((*body)["code"].get<std::string>(), std::string(errorName(code)));
        QCOMPARE((*body)["requestId"].get<std::string>(), std::string("id"));
    }
    QCOMPARE(http::errorReply({ErrorCode::QueueFull, "", ""}, "").fields.front().first, std::string("Retry-After"));
}

void PagesTest::webuiErrors()
{
    const http::Reply bad = server::webuiErrorReply({ErrorCode::InvalidArgument, "must be less", "steps"}, "id");
    QCOMPARE(bad.status, 422);
    QCOMPARE(bad.body,
             std::string(R"({"detail":[{"loc":["body","steps"],"msg":"must be less","type":"value_error"}]})"));
    QCOMPARE(server::webuiErrorReply({ErrorCode::NotFound, "gone", ""}, "id").body,
             std::string(R"({"detail":"gone"})"));
    const http::Reply failed = server::webuiErrorReply({ErrorCode::EngineFailed, "it died", ""}, "id");
    QCOMPARE(failed.status, 500);
    QCOMPARE(failed.body, std::string(R"({"error":"engine_failed","detail":"it died","body":"","errors":"it died"})"));
}

QTEST_GUILESS_MAIN(PagesTest)
#include "pages_test.moc"
