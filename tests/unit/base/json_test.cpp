#include "core/base/json.h"

#include <QTest>

using namespace sg;

class JsonTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void accepts_data();
    void accepts();
    void refuses_data();
    void refuses();
    void keepsOrderAndTypes();
    void limits();
    void deepNestingIsRefusedQuickly();
    void dumpReplacesBrokenUtf8();
};

void JsonTest::accepts_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("object") << QByteArray(R"({"a":1,"b":[true,false,null,"x"]})");
    QTest::newRow("scalar") << QByteArray("12");
    QTest::newRow("white space around") << QByteArray(" \n[1]\t ");
    QTest::newRow("escaped pair of surrogates") << QByteArray(R"("\ud83d\ude00")");
    QTest::newRow("largest integer") << QByteArray("18446744073709551615");
    QTest::newRow("least integer") << QByteArray("-9223372036854775808");
    QTest::newRow("small number") << QByteArray("1e-400");
    QTest::newRow("same key in two objects") << QByteArray(R"([{"a":1},{"a":2}])");
    QTest::newRow("same key one level down") << QByteArray(R"({"a":{"a":1}})");
}

void JsonTest::accepts()
{
    QFETCH(QByteArray, text);
    const Expected<Json> json = parseJson({text.constData(), static_cast<std::size_t>(text.size())});
    QVERIFY2(json.has_value(), json ? "" : json.error().message.c_str());
    QVERIFY(*json == Json::parse(text.toStdString()));
}

void JsonTest::refuses_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QByteArray>("rule");
    const auto row = [](const char *name, const QByteArray &text, const char *rule) {
        QTest::newRow(name) << text << QByteArray(rule);
    };
    row("nothing", "", "byte");
    row("only blanks", "  ", "byte");
    row("two values", "1 2", "byte 3");
    row("comma at the end", "[1,]", "byte");
    row("single quotes", "{'a':1}", "byte");
    row("comment", "[1 /* x */]", "byte");
    row("leading zero", "01", "byte");
    row("bare NaN", "[NaN]", "byte");
    row("too large a number", "[1e999]", "");
    row("integer over 64 bits", "18446744073709551616", "64 bits");
    row("negative integer over 64 bits", "-9223372036854775809", "64 bits");
    row("duplicate key", R"({"a":1,"b":2,"a":3})", "duplicate key \"a\"");
    row("duplicate key by escape", R"({"a":1,"\u0061":3})", "duplicate key");
    row("duplicate key deep down", R"([[{"x":{"k":1,"k":1}}]])", "duplicate key \"k\"");
    row("zero in a text", R"(["a\u0000b"])", "U+0000");
    row("zero in a key", R"({"a\u0000":1})", "U+0000");
    row("raw zero", QByteArray("[\"a\0b\"]", 7), "byte");
    row("lone high surrogate", R"(["\ud800"])", "byte");
    row("lone low surrogate", R"(["\udc00"])", "byte");
    row("overlong slash", "[\"\xc0\xaf\"]", "byte");
    row("surrogate in UTF-8", "[\"\xed\xa0\x80\"]", "byte");
    row("cut UTF-8", "[\"\xe2\x82\"]", "byte");
    row("byte order mark", "\xef\xbb\xbf{}", "byte order mark");
    row("line end in a text", "[\"a\nb\"]", "byte");
    row("unclosed", "{\"a\":[1,2", "byte");
}

void JsonTest::refuses()
{
    QFETCH(QByteArray, text);
    QFETCH(QByteArray, rule);
    const Expected<Json> json = parseJson({text.constData(), static_cast<std::size_t>(text.size())});
    QVERIFY(!json);
    QVERIFY(json.error().code == ErrorCode::InvalidArgument);
    QVERIFY2(json.error().message.find(rule.toStdString()) != std::string::npos, json.error().message.c_str());
}

void JsonTest::keepsOrderAndTypes()
{
    const Expected<Json> json = parseJson(R"({"z":1,"a":1.0,"m":-1,"b":{"y":"","x":[]}})");
    QVERIFY(json.has_value());
    QCOMPARE(dumpJson(*json), std::string(R"({"z":1,"a":1.0,"m":-1,"b":{"y":"","x":[]}})"));
    QVERIFY((*json)["z"].is_number_unsigned());
    QVERIFY((*json)["a"].is_number_float());
    QVERIFY((*json)["m"].is_number_integer());
    QVERIFY(json->contains("b"));
    QCOMPARE((*json)["b"]["x"].size(), std::size_t(0));
}

void JsonTest::limits()
{
    QVERIFY(parseJson("[[1]]", {.depth = 2}).has_value());
    QVERIFY(!parseJson("[[1]]", {.depth = 1}));
    QVERIFY(parseJson("[1,2]", {.values = 3}).has_value());
    QVERIFY(!parseJson("[1,2]", {.values = 2}));
    QVERIFY(parseJson("[1,2]", {.bytes = 5}).has_value());
    const Expected<Json> long_ = parseJson("[1,2]", {.bytes = 4});
    QVERIFY(!long_);
    QVERIFY(long_.error().code == ErrorCode::TooLarge);
}

void JsonTest::deepNestingIsRefusedQuickly()
{
    const Expected<Json> json = parseJson(std::string(5'000'000, '['));
    QVERIFY(!json);
    QVERIFY(json.error().message.find("nested deeper than 64") != std::string::npos);
}

void JsonTest::dumpReplacesBrokenUtf8()
{
    QCOMPARE(dumpJson(Json("a\xff")), std::string("\"a\xEF\xBF\xBD\""));
    QCOMPARE(dumpJson(Json("\xE6\x98\x9F")), std::string("\"\xE6\x98\x9F\""));
}

QTEST_APPLESS_MAIN(JsonTest)
#include "json_test.moc"
