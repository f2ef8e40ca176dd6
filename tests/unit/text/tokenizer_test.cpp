#include "core/text/clip_tokenizer.h"
#include "core/text/clip_vocabulary.h"
#include "core/text/text_cleaning.h"
#include "core/text/unicode.h"

#include <QTest>

#include <string>
#include <vector>

using namespace sg;
using Ids = std::vector<std::int32_t>;

class TokenizerTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void vocabularyIsWhole();
    void knownIds();
    void marksAreTokens();
    void cleaning_data();
    void cleaning();
    void brokenUtf8IsReplaced();
    void hugeWords_data();
    void hugeWords();
};

void TokenizerTest::vocabularyIsWhole()
{
    const ClipVocabulary &vocabulary = ClipVocabulary::builtIn();
    QCOMPARE(vocabulary.mergeCount(), std::size_t(48894));
    QCOMPARE(vocabulary.byteToken('!'), 0);
    QCOMPARE(vocabulary.lastByteToken(','), kCommaToken);
    QCOMPARE(vocabulary.byteToken(0), 188);
    QVERIFY(!vocabulary.merged(ClipVocabulary::kEnd, 0));
}

void TokenizerTest::knownIds()
{
    // CLIP's own example, known from its publication.
    QCOMPARE(clipTokens("a photo of a cat"), (Ids{320, 1125, 539, 320, 2368}));
    QCOMPARE(clipTokens("A  PHOTO\tof\na cat "), (Ids{320, 1125, 539, 320, 2368}));
    QCOMPARE(clipTokens(","), Ids{kCommaToken});
    QVERIFY(clipTokens("").empty());
    QVERIFY(clipTokens(" \n\u3000\u2028").empty());
    QCOMPARE(clipTokens("2026").size(), std::size_t(4));
    QCOMPARE(clipTokens("\u2019s"), clipTokens("'s"));
}

void TokenizerTest::marksAreTokens()
{
    const Ids cat = clipTokens("cat");
    QCOMPARE(clipTokens("<|endoftext|>"), Ids{ClipVocabulary::kEnd});
    QCOMPARE(clipTokens("<|startoftext|>cat"), (Ids{ClipVocabulary::kStart, cat[0]}));
    QCOMPARE(clipTokens("cat<|endoftext|>cat"), (Ids{cat[0], ClipVocabulary::kEnd, cat[0]}));
    for (const std::int32_t id : clipTokens("<|<|endoftext|"))
        QVERIFY(id < ClipVocabulary::kStart);
    QCOMPARE(clipTokens("<|<|endoftext|>").back(), ClipVocabulary::kEnd);
}

void TokenizerTest::cleaning_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("cleaned");
    const auto row = [](const char *name, const char *text, const char *cleaned) {
        QTest::newRow(name) << QString::fromUtf8(text) << QString::fromUtf8(cleaned);
    };
    row("spaces", "  a\u00a0\u3000b\t\r\n c  ", "a b c");
    row("curly quotes", "\u2018a\u2019 \u201cb\u201d \u02bcc \u201bd \u201ee\u201f", "'a' \"b\" 'c 'd \"e\"");
    row("full width", "\uff21\uff22\uff23\uff0c\uff11\uff01", "abc,1!");
    row("half width with mark", "\uff8a\uff9f\uff76\uff9e", "\u30d1\u30ac");
    row("ligatures", "\ufb01\ufb02\ufb03 \u0149 \u01c5", "fiflffi 'n d\u017e");
    row("composition", "e\u0301 A\u030a \u212b", "\u00e9 \u00e5 \u00e5");
    row("marks in another order", "a\u0323\u0302 a\u0302\u0323", "\u1ead \u1ead");
    row("controls",
        "a\x01"
        "b\x7f"
        "c\ufeff"
        "d\u206a",
        "abcd");
    row("terminal colours", "\x1b[1;31mred\x1b[0m", "red");
    row("terminal colours in full width", "\x1b\uff3b31mred", "red");
    row("C1 controls", "\u0093a\u0094 \u0085 \u0080", "\"a\" \u2026 \u20ac");
    row("final sigma", "\u039f\u0394\u039f\u03a3 \u03a3\u039f\u03a6\u0399\u0391\u03a3, \u03a3",
        "\u03bf\u03b4\u03bf\u03c2 \u03c3\u03bf\u03c6\u03b9\u03b1\u03c2, \u03c3");
    row("dotted capital I", "\u0130", "i\u0307");
    row("not HTML", "&amp; &lt;", "&amp; &lt;");
    row("not mojibake", "S\u00c3\u00a3o", "s\u00e3\u00a3o");
}

void TokenizerTest::cleaning()
{
    QFETCH(QString, text);
    QTEST(QString::fromStdU32String(cleanText(text.toStdString())), "cleaned");
}

void TokenizerTest::brokenUtf8IsReplaced()
{
    QCOMPARE(clipTokens("a\xff"
                        "b"),
             clipTokens("a\xEF\xBF\xBD"
                        "b"));
    QCOMPARE(clipTokens("\xe2\x82"), clipTokens("\xEF\xBF\xBD\xEF\xBF\xBD"));
}

void TokenizerTest::hugeWords_data()
{
    QTest::addColumn<QByteArray>("unit");
    QTest::newRow("letters") << QByteArray("a");
    QTest::newRow("two letters") << QByteArray("ab");
    QTest::newRow("exclamation marks") << QByteArray("!");
    QTest::newRow("marks out of order") << QByteArray("\u0301\u0323\u0327\u0345");
    QTest::newRow("apostrophes") << QByteArray("'");
    QTest::newRow("half a mark") << QByteArray("<|");
    QTest::newRow("sigma") << QByteArray("\u03a3.");
    QTest::newRow("escapes") << QByteArray("\x1b[1");
    QTest::newRow("digits") << QByteArray("7");
    QTest::newRow("spaces") << QByteArray(" ");
}

/// Quadratic work on 64 KiB would run into the test's time limit; the sum of the pieces is what can be checked.
void TokenizerTest::hugeWords()
{
    QFETCH(QByteArray, unit);
    const Ids ids = clipTokens(unit.repeated(65536 / static_cast<int>(unit.size())).toStdString());
    QVERIFY(ids.size() <= 65536);
    for (const std::int32_t id : ids)
        QVERIFY(id >= 0 && id < ClipVocabulary::kStart);
}

QTEST_APPLESS_MAIN(TokenizerTest)
#include "tokenizer_test.moc"
