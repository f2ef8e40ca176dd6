#include "core/params/coding_rows.h"
#include "core/params/param_table.h"
#include "ui/generate/param_texts.h"
#include "ui/shell/language.h"

#include <QCoreApplication>
#include <QFile>
#include <QLocale>
#include <QRegularExpression>
#include <QTest>
#include <QXmlStreamReader>

#include <set>

using namespace Qt::Literals::StringLiterals;
using namespace sg;

class TranslationTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void noStringIsUnfinished_data();
    void noStringIsUnfinished();
    void everyRowOfTheTableIsTranslated();
    void everyTextOfTheTableIsListed();
    void placesStay();
};

namespace {

struct Message {
    QString source;
    QStringList translations;
    QString type;
};

QList<Message> messagesOf(const QString &file)
{
    QFile source(file);
    if (!source.open(QIODevice::ReadOnly)) return {};
    QXmlStreamReader xml(&source);
    QList<Message> messages;
    while (!xml.atEnd()) {
        xml.readNext();
        if (!xml.isStartElement()) continue;
        if (xml.name() == u"message"_s)
            messages.append(Message{});
        else if (xml.name() == u"source"_s)
            messages.last().source = xml.readElementText();
        else if (xml.name() == u"translation"_s) {
            messages.last().type = xml.attributes().value(u"type"_s).toString();
            if (xml.readNext() == QXmlStreamReader::Characters && !xml.isWhitespace())
                messages.last().translations.append(xml.text().toString());
        } else if (xml.name() == u"numerusform"_s)
            messages.last().translations.append(xml.readElementText());
    }
    return messages;
}

/// Samplers, schedules and what belongs to one sampler keep their names.
bool isWords(const ParamSpec &spec)
{
    return !spec.key.ends_with("sampler_name") && !spec.key.ends_with("scheduler") && !spec.key.starts_with("uni_pc_");
}

/// Devices, programs and files of upscalers.
bool isName(const std::string &choice)
{
    const std::set<std::string> names{"CPU", "NV", "GPU", kPreviewTiny, "Lanczos"};
    return names.contains(choice);
}

}  // namespace

/// What lupdate does not find it takes out of the translations.
void TranslationTest::everyTextOfTheTableIsListed()
{
    QFile source(QStringLiteral(SG_SOURCE_DIR "/ui/generate/param_texts.cpp"));
    QVERIFY(source.open(QIODevice::ReadOnly));
    QString listed = QString::fromUtf8(source.readAll());
    listed.replace(QRegularExpression(u"\"\\s*\\n\\s*\""_s), QString());  // texts on several lines
    listed.replace(QRegularExpression(u",\\s+\""_s), u", \""_s);
    listed.replace(QRegularExpression(u"\\(\\s+\""_s), u"(\""_s);
    for (const ParamSpec &spec : ParamTable::standard().specs()) {
        std::vector<std::string> texts{spec.label, spec.help};
        if (isWords(spec)) texts.insert(texts.end(), spec.choices.begin(), spec.choices.end());
        for (const std::string &text : texts)
            QVERIFY2(isName(text) || listed.contains(u"(\"Parameters\", \"%1\")"_s.arg(QString::fromStdString(text))),
                     (spec.key + ": " + text).c_str());
    }
}

void TranslationTest::noStringIsUnfinished_data()
{
    QTest::addColumn<QString>("file");
    QTest::newRow("zh_CN") << QStringLiteral(SG_SOURCE_DIR "/translations/serigraph_zh_CN.ts");
    QTest::newRow("en") << QStringLiteral(SG_SOURCE_DIR "/translations/serigraph_en.ts");
}

void TranslationTest::noStringIsUnfinished()
{
    QFETCH(QString, file);
    const QList<Message> messages = messagesOf(file);
    QVERIFY(messages.size() >= 5);
    for (const Message &message : messages) {
        QVERIFY2(message.type.isEmpty(), qPrintable(message.source + u" is "_s + message.type));
        QVERIFY2(!message.translations.isEmpty() && !message.translations.contains(QString()),
                 qPrintable(message.source));
    }
}

void TranslationTest::placesStay()
{
    const QList<Message> messages = messagesOf(QStringLiteral(SG_SOURCE_DIR "/translations/serigraph_zh_CN.ts"));
    QVERIFY(messages.size() > 150);
    for (const Message &message : messages)
        for (const QString &place : {u"%1"_s, u"%2"_s, u"%n"_s})
            for (const QString &translation : message.translations)
                QVERIFY2(message.source.contains(place) == translation.contains(place), qPrintable(message.source));
}

void TranslationTest::everyRowOfTheTableIsTranslated()
{
    QVERIFY(ui::installLanguage(*QCoreApplication::instance(), QLocale(QLocale::Chinese, QLocale::China)));
    for (const ParamSpec &spec : ParamTable::standard().specs()) {
        QVERIFY2(spec.key == "eta" || ui::labelOf(spec) != QString::fromStdString(spec.label), spec.key.c_str());
        QVERIFY2(ui::helpOf(spec) != QString::fromStdString(spec.help), spec.key.c_str());
        if (!isWords(spec)) continue;
        for (const std::string &choice : spec.choices)
            QVERIFY2(isName(choice) || ui::choiceText(choice) != QString::fromStdString(choice), choice.c_str());
    }
    QCOMPARE(QCoreApplication::translate("sg::ui::MainWindow", "Generate"), u"生成"_s);
    QCOMPARE(QCoreApplication::translate("sg::ui::ModelsPage", "%n folder(s)", nullptr, 3), u"3 个文件夹"_s);
}

QTEST_GUILESS_MAIN(TranslationTest)
#include "translation_test.moc"
