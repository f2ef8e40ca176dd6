#include "core/text/clip_tokenizer.h"
#include "core/text/clip_vocabulary.h"
#include "core/text/prompt.h"
#include "core/text/prompt_chunks.h"

#include <QTest>

#include <cmath>
#include <string>
#include <vector>

using namespace sg;

using Pieces = std::vector<WeightedText>;
Q_DECLARE_METATYPE(Pieces)

namespace {

/// "cat cat cat …": each is one token.
std::string cats(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "cat ";
    return text;
}

/// Tokens of a chunk up to its padding, without the start mark.
std::vector<std::int32_t> inside(const PromptChunk &chunk)
{
    std::vector<std::int32_t> out;
    for (std::size_t i = 1; i + 1 < kChunkLength && chunk.tokens[i] != ClipVocabulary::kEnd; ++i)
        out.push_back(chunk.tokens[i]);
    return out;
}

constexpr double up = 1.1;
constexpr double down = 1 / 1.1;

void row(const char *prompt, const Pieces &pieces)
{
    QTest::newRow(prompt) << QString::fromUtf8(prompt) << pieces;
}

void bracketRows()
{
    row("", {{"", 1}});
    row("normal text", {{"normal text", 1}});
    row("an (important) word", {{"an ", 1}, {"important", up}, {" word", 1}});
    row("(unbalanced", {{"unbalanced", up}});
    row("[unbalanced", {{"unbalanced", down}});
    row("\\(literal\\]", {{"(literal]", 1}});
    row("\\\\(x)", {{"\\", 1}, {"x", up}});
    row("a\\b", {{"ab", 1}});
    row("end\\", {{"end", 1}});
    row("(unnecessary)(parens)", {{"unnecessaryparens", up}});
    row("((a))", {{"a", up * up}});
    row("(((a)))", {{"a", up * up * up}});
    row("[[a]]", {{"a", down * down}});
    row("([a])", {{"a", down * up}});
}

void weightRows()
{
    row("(a:1.5)", {{"a", 1.5}});
    row("(a:2)", {{"a", 2}});
    row("(a:0)", {{"a", 0}});
    row("(a:.5)", {{"a", 0.5}});
    row("(a:1.)", {{"a", 1}});
    row("(a:+2)", {{"a", 2}});
    row("(a:-2)", {{"a", -2}});
    row("(a: 1.5 )", {{"a", 1.5}});
    row("((a:1.5))", {{"a", 1.5 * up}});
    row("(a (b:2) c:3)", {{"a ", 3}, {"b", 6}, {" c", 3}});
    row("[a:1.5]", {{"a:1.5", down}});
    row("[a:1.5)", {{"a:1.5)", down}});
    row("a:1.5)", {{"a:1.5)", 1}});
    row("(a:b)", {{"a:b", up}});
    row("(a:1.2.3)", {{"a:1.2.3", up}});
    row("(a:.)", {{"a:.", up}});
    row("(a:)", {{"a:", up}});
    row("(a:1e5)", {{"a:1e5", up}});
    row("(a:1e999)", {{"a:1e999", up}});
    row("(a:nan)", {{"a:nan", up}});
    row("(a:inf)", {{"a:inf", up}});
    row("(a:0x10)", {{"a:0x10", up}});
    row("(a:1,5)", {{"a:1,5", up}});
    row("(a:1:2)", {{"a:1", 2}});
    row(":)", {{":)", 1}});
    row("a)b]c", {{"a)b]c", 1}});
    row("()", {{"", 1}});
    row("(:2)", {{"", 1}});
    row("(a[b)c]", {{"a", up}, {"b", up * down}, {"c", down}});
    row("[|", {{"|", down}});
    row("[a|b]", {{"a|b", down}});
    row("[a:b:", {{"a:b:", down}});
    row("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", {{"a ", 1},
                                                                {"house", 1.3 * up * up},
                                                                {" ", up},
                                                                {"on", down * up},
                                                                {" a ", up},
                                                                {"hill", 0.5 * up},
                                                                {", sun, ", up},
                                                                {"sky", up * up * up * up},
                                                                {".", up}});
}

void breakRows()
{
    row("a BREAK b", {{"a", 1}, {"BREAK", -1}, {"b", 1}});
    row("BREAK", {{"", 1}, {"BREAK", -1}, {"", 1}});
    row("a,BREAK,b", {{"a,", 1}, {"BREAK", -1}, {",b", 1}});
    row("a  BREAK \n BREAK b", {{"a", 1}, {"BREAK", -1}, {"", 1}, {"BREAK", -1}, {"b", 1}});
    row("aBREAK BREAKb break _BREAK BREAK1", {{"aBREAK BREAKb break _BREAK BREAK1", 1}});
    row("(BREAK)", {{"", up}, {"BREAK", -up}, {"", up}});
    row("\u00e9BREAK", {{"\u00e9BREAK", 1}});
    row("\u3000BREAK\u3000b", {{"", 1}, {"BREAK", -1}, {"b", 1}});
    row("\u2019BREAK\u2019", {{"\u2019", 1}, {"BREAK", -1}, {"\u2019", 1}});
}

}  // namespace

class PromptTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void attention_data();
    void attention();
    void refused_data();
    void refused();
    void hugeWeightsOfAnyForm();
    void longPromptsStayLinear_data();
    void longPromptsStayLinear();
    void emptyPromptIsOneChunk();
    void chunkLengths_data();
    void chunkLengths();
    void weightsFollowTheirTokens();
    void commaMovesTheRest_data();
    void commaMovesTheRest();
    void breakClosesAChunk();
    void tooManyTokens();
};

void PromptTest::attention_data()
{
    QTest::addColumn<QString>("prompt");
    QTest::addColumn<Pieces>("pieces");
    bracketRows();
    weightRows();
    breakRows();
}

void PromptTest::attention()
{
    QFETCH(QString, prompt);
    QFETCH(Pieces, pieces);
    const Expected<Pieces> parsed = parsePrompt(prompt.toStdString());
    QVERIFY2(parsed.has_value(), parsed ? "" : parsed.error().message.c_str());
    std::string got;
    for (const WeightedText &piece : *parsed)
        got += "{" + piece.text + "|" + std::to_string(piece.weight) + "}";
    QVERIFY2(parsed->size() == pieces.size(), got.c_str());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        QCOMPARE((*parsed)[i].text, pieces[i].text);
        QVERIFY2(std::abs((*parsed)[i].weight - pieces[i].weight) <= 1e-12, got.c_str());
    }
}

void PromptTest::refused_data()
{
    QTest::addColumn<QByteArray>("prompt");
    QTest::addColumn<QByteArray>("rule");
    QTest::newRow("too long") << QByteArray(65537, 'a') << QByteArray("65537 bytes");
    QTest::newRow("1 MB") << QByteArray(1 << 20, 'a') << QByteArray("bytes");
    QTest::newRow("not UTF-8") << QByteArray("a\xff") << QByteArray("UTF-8");
    QTest::newRow("65 open brackets") << QByteArray(65, '(') + "x" << QByteArray("64 brackets");
    QTest::newRow("65 of both kinds") << QByteArray("([").repeated(33) + "x" << QByteArray("64 brackets");
    QTest::newRow("weight of 400 digits") << "(a:" + QByteArray(400, '9') + ")" << QByteArray("out of range");
    QTest::newRow("weight beyond 32 bits") << "(a:" + QByteArray(39, '9') + ")" << QByteArray("out of range");
    QTest::newRow("product beyond 32 bits")
        << "((a:" + QByteArray(30, '9') + "):" + QByteArray(30, '9') + ")" << QByteArray("out of range");
}

void PromptTest::refused()
{
    QFETCH(QByteArray, prompt);
    QFETCH(QByteArray, rule);
    const std::string text = prompt.toStdString();
    const Expected<Pieces> parsed = parsePrompt(text);
    QVERIFY(!parsed);
    QCOMPARE(parsed.error().subject, std::string("prompt"));
    QVERIFY2(parsed.error().message.find(rule.toStdString()) != std::string::npos, parsed.error().message.c_str());
    QVERIFY(parsed.error().code == (text.size() > kMaxPromptBytes ? ErrorCode::TooLarge : ErrorCode::InvalidArgument));
    QVERIFY(!chunkPrompt(text) && !countTokens(text));
}

void PromptTest::hugeWeightsOfAnyForm()
{
    QVERIFY(parsePrompt("(a:" + std::string(38, '9') + ")").has_value());
    QCOMPARE(parsePrompt("(a:0." + std::string(500, '0') + "1)")->front().weight, 0.0);
    QCOMPARE(parsePrompt("(a:" + std::string(500, '0') + "2)")->front().weight, 2.0);
    QVERIFY(parsePrompt(std::string(64, '(') + "x").has_value());
    QVERIFY(parsePrompt(std::string(64, '(') + "x" + std::string(64, ')')).has_value());
}

void PromptTest::longPromptsStayLinear_data()
{
    QTest::addColumn<QByteArray>("prompt");
    QTest::newRow("pairs of brackets") << QByteArray("(a)[b]").repeated(10'900);
    QTest::newRow("deep pieces") << QByteArray(63, '(') + QByteArray("a(b)").repeated(16'000);
    QTest::newRow("closing") << QByteArray(65'536, ')');
    QTest::newRow("colons") << "(" + QByteArray(65'000, ':');
    QTest::newRow("weights without end") << "(" + QByteArray(":1").repeated(32'000);
    QTest::newRow("spaces after a colon") << "(:" + QByteArray(65'000, ' ');
    QTest::newRow("colon and spaces") << "(" + QByteArray(": ").repeated(32'000);
    QTest::newRow("escapes") << QByteArray(65'536, '\\');
    QTest::newRow("breaks") << QByteArray("BREAK").repeated(13'000);
    QTest::newRow("spaces and breaks") << (QByteArray(1000, ' ') + "BREAKx").repeated(65);
    QTest::newRow("ANDs") << QByteArray("a AND ").repeated(10'000);
}

/// What comes back is not the point: the test's time limit is, and that every piece is finite.
void PromptTest::longPromptsStayLinear()
{
    QFETCH(QByteArray, prompt);
    const Expected<Pieces> parsed = parsePrompt(prompt.toStdString());
    QVERIFY2(parsed.has_value(), parsed ? "" : parsed.error().message.c_str());
    std::size_t size = 0;
    for (const WeightedText &piece : *parsed) {
        QVERIFY(std::isfinite(piece.weight));
        size += piece.text.size();
    }
    QVERIFY(size <= static_cast<std::size_t>(prompt.size()));
}

void PromptTest::emptyPromptIsOneChunk()
{
    const Expected<PromptChunks> chunks = chunkPrompt("");
    QVERIFY(chunks.has_value());
    QCOMPARE(chunks->chunks.size(), std::size_t(1));
    QCOMPARE(chunks->tokenCount, std::int64_t(0));
    QVERIFY(chunks->chunks[0] == PromptChunk());
    QCOMPARE(chunks->chunks[0].tokens[0], ClipVocabulary::kStart);
    for (std::size_t i = 1; i < kChunkLength; ++i)
        QCOMPARE(chunks->chunks[0].tokens[i], ClipVocabulary::kEnd);
}

void PromptTest::chunkLengths_data()
{
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("chunks");
    for (const auto &[tokens, chunks] : {std::pair(1, 1), {74, 1}, {75, 1}, {76, 2}, {150, 2}, {151, 3}})
        QTest::addRow("%d", tokens) << tokens << chunks;
}

void PromptTest::chunkLengths()
{
    QFETCH(int, tokens);
    QFETCH(int, chunks);
    const Expected<PromptChunks> made = chunkPrompt(cats(tokens));
    QCOMPARE(static_cast<int>(made->chunks.size()), chunks);
    QCOMPARE(made->tokenCount, std::int64_t(tokens));
    QCOMPARE(countTokens(cats(tokens)).value(), std::int64_t(tokens));
    QCOMPARE(static_cast<int>(inside(made->chunks.back()).size()), tokens - 75 * (chunks - 1));
    QCOMPARE(made->chunks.back().tokens.back(), ClipVocabulary::kEnd);
}

void PromptTest::weightsFollowTheirTokens()
{
    const Expected<PromptChunks> made = chunkPrompt("cat (cat:1.5) [cat]");
    const auto &weights = made->chunks[0].weights;
    QCOMPARE(weights[0], 1.0F);
    QCOMPARE(weights[1], 1.0F);
    QCOMPARE(weights[2], 1.5F);
    QCOMPARE(weights[3], static_cast<float>(1 / 1.1));
    for (std::size_t i = 4; i < kChunkLength; ++i)
        QCOMPARE(weights[i], 1.0F);
    // BREAK in brackets is the word, with a negative weight, as A1111 has it.
    const Expected<PromptChunks> word = chunkPrompt("(BREAK)");
    QCOMPARE(word->chunks.size(), std::size_t(1));
    QCOMPARE(inside(word->chunks[0]), clipTokens("BREAK"));
    QCOMPARE(word->chunks[0].weights[1], static_cast<float>(-1.1));
}

void PromptTest::commaMovesTheRest_data()
{
    QTest::addColumn<QByteArray>("prompt");
    QTest::addColumn<QList<int>>("lengths");  // tokens in each chunk
    QTest::addColumn<int>("count");
    const auto row = [](const char *name, const std::string &prompt, const QList<int> &lengths, int count) {
        QTest::newRow(name) << QByteArray::fromStdString(prompt) << lengths << count;
    };
    // The comma at index 69 of 75: five cats move with the sixth.
    row("comma near the end", cats(69) + "," + cats(6), {70, 6}, 81);
    row("comma at the end", cats(74) + "," + cats(1), {75, 1}, 76);
    row("comma 20 back", cats(55) + "," + cats(20), {56, 20}, 95);
    row("comma 21 back", cats(54) + "," + cats(21), {75, 1}, 76);
    row("comma first of all", "," + cats(75), {75, 1}, 76);
    row("comma arrives at a full chunk", cats(75) + "," + cats(75), {75, 75, 1}, 151);
    row("comma as the 76th", cats(75) + ",", {75, 1}, 76);
    row("two commas", cats(60) + "," + cats(5) + "," + cats(9), {67, 9}, 84);
    row("full and nothing follows", cats(69) + "," + cats(5), {75}, 75);
    row("again in the second chunk", cats(69) + "," + cats(69) + "," + cats(10), {70, 70, 10}, 160);
}

void PromptTest::commaMovesTheRest()
{
    QFETCH(QByteArray, prompt);
    QFETCH(QList<int>, lengths);
    QFETCH(int, count);
    const Expected<PromptChunks> made = chunkPrompt(prompt.toStdString());
    QList<int> got;
    for (const PromptChunk &chunk : made->chunks)
        got.append(static_cast<int>(inside(chunk).size()));
    QCOMPARE(got, lengths);
    QCOMPARE(made->tokenCount, std::int64_t(count));
}

void PromptTest::breakClosesAChunk()
{
    const Expected<PromptChunks> made = chunkPrompt("cat BREAK cat cat");
    QCOMPARE(made->chunks.size(), std::size_t(2));
    QCOMPARE(inside(made->chunks[0]).size(), std::size_t(1));
    QCOMPARE(inside(made->chunks[1]).size(), std::size_t(2));
    QCOMPARE(made->tokenCount, std::int64_t(77));
    QCOMPARE(chunkPrompt("cat BREAK")->chunks.size(), std::size_t(1));
    QCOMPARE(chunkPrompt("BREAK BREAK")->chunks.size(), std::size_t(2));
    QCOMPARE(countTokens("cat BREAK").value(), std::int64_t(75));
}

void PromptTest::tooManyTokens()
{
    QVERIFY(chunkPrompt(cats(9'900)).has_value());
    for (const std::string &prompt : {cats(10'200), std::string(65'536, '7')}) {
        const Expected<PromptChunks> made = chunkPrompt(prompt);
        QVERIFY(!made && made.error().code == ErrorCode::TooLarge);
    }
    std::string breaks;
    for (int i = 0; i < 10'000; ++i)
        breaks += "BREAK ";
    QVERIFY(!chunkPrompt(breaks));
}

QTEST_APPLESS_MAIN(PromptTest)
#include "prompt_test.moc"
