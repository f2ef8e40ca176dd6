#include "core/params/param_table.h"
#include "ui/generate/param_texts.h"
#include "ui/shell/language.h"

#include <QCoreApplication>
#include <QFile>
#include <QLocale>
#include <QTest>
#include <QXmlStreamReader>

using namespace Qt::Literals::StringLiterals;
using namespace sg;

class TranslationTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void noStringIsUnfinished_data();
    void noStringIsUnfinished();
    void everyRowOfTheTableIsTranslated();
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

}  // namespace

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
    }
    QCOMPARE(QCoreApplication::translate("sg::ui::MainWindow", "Generate"), u"生成"_s);
    QCOMPARE(QCoreApplication::translate("sg::ui::ModelsPage", "%n folder(s)", nullptr, 3), u"3 个文件夹"_s);
}

QTEST_GUILESS_MAIN(TranslationTest)
#include "translation_test.moc"
