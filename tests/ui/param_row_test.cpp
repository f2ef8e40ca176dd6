#include "core/picture/infotext.h"
#include "core/server/http/router.h"
#include "core/server/openapi.h"
#include "core/server/parameters_page.h"
#include "ui/client/api_decode.h"
#include "ui/generate/param_form.h"
#include "ui/generate/param_model.h"

#include <QDoubleSpinBox>
#include <QTest>

using namespace Qt::Literals::StringLiterals;
using namespace sg;
using namespace sg::ui;

/// One row more in the parameter table, and nothing else, is a field of the HTTP body, a widget, a property in the
/// OpenAPI document, a line of the documentation and a pair of the infotext.
class ParamRowTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void initTestCase();
    void http();
    void form();
    void openApi();
    void docs();
    void infotextPair();

private:
    ParamTable m_table = ParamTable::textToImage();
};

void ParamRowTest::initTestCase()
{
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
    m_table.add(row);
}

void ParamRowTest::http()
{
    const Json body{{"prompt", "a"}, {"stable_diffusion_model", "m"}, {"test_row", 1.25}};
    const Expected<ParsedParams> parsed = parseParams(body, m_table, ParseMode::Strict);
    QVERIFY(parsed.has_value());
    QCOMPARE(parsed->values.get<double>("test_row"), 1.25);
    const Expected<ParsedParams> tooBig = parseParams(Json{{"test_row", 4}}, m_table);
    QVERIFY(!tooBig.has_value());
    QCOMPARE(tooBig.error().subject, "test_row");
    QVERIFY(!parseParams(body, ParamTable::textToImage(), ParseMode::Strict));
    // What GET /parameters answers is the same table at the other end.
    const Expected<ParamTable> received = decodeParameters(server::parametersJson(m_table));
    QVERIFY(received.has_value());
    QVERIFY(received->specs() == m_table.specs());
}

void ParamRowTest::form()
{
    const Expected<ParamTable> received = decodeParameters(server::parametersJson(m_table));
    ParamModel model(*received);
    ParamForm form(model);
    auto *box = qobject_cast<QDoubleSpinBox *>(form.editor(u"test_row"_s));
    QVERIFY(box);
    QCOMPARE(box->maximum(), 3.0);
    QCOMPARE(box->toolTip(), u"Added by a test."_s);
    box->setValue(2.5);
    QCOMPARE(model.toJson()["test_row"].get<double>(), 2.5);
}

void ParamRowTest::openApi()
{
    const sg::http::Router router;
    const std::string document = dumpJson(server::openApiDocument(router, m_table));
    QVERIFY(document.find("\"test_row\"") != std::string::npos);
    const std::string without = dumpJson(server::openApiDocument(router, ParamTable::textToImage()));
    QVERIFY(without.find("\"test_row\"") == std::string::npos);
}

void ParamRowTest::docs()
{
    const std::string page = server::parametersMarkdown(m_table);
    QVERIFY(page.find("| `test_row` | ti | Test row: Added by a test. | 0 to 3") != std::string::npos);
}

void ParamRowTest::infotextPair()
{
    ParamValues values = ParamValues::defaults(m_table);
    values.set("prompt", std::string("a star"));
    values.set("test_row", 1.25);
    const std::string text = infotext({values, m_table, "starter", "", 7, 8, "", ""});
    QVERIFY2(text.find("Test row: 1.25") != std::string::npos, text.c_str());
    const Expected<ParsedInfotext> read = parseInfotext(text, m_table);
    QVERIFY(read.has_value());
    QCOMPARE(read->params["test_row"].get<double>(), 1.25);
}

QTEST_MAIN(ParamRowTest)
#include "param_row_test.moc"
