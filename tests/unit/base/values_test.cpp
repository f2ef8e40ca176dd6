#include "core/base/available_memory.h"
#include "core/base/base64.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/image.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/version.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <set>
#include <thread>

using namespace sg;

class ValuesTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyErrorHasAName();
    void unknownErrorNameIsInternal();
    void idsDifferAndAreTaskIds();
    void taskIds_data();
    void taskIds();
    void imageRows();
    void versionIsThreeNumbers();
    void logEscapesAndCounts();
    void logKeepsTheLatest();
    void logFromManyThreads();
    void base64RoundTrip();
    void base64Refuses_data();
    void base64Refuses();
    void base64TakesDataUrls();
    void memoryOfMachineAndGroups();
    void utf8_data();
    void utf8();
};

void ValuesTest::everyErrorHasAName()
{
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        const std::string_view name = errorName(code);
        QVERIFY(errorFromName(name) == code);
        QVERIFY(names.insert(name).second);
        for (const char c : name)
            QVERIFY((c >= 'a' && c <= 'z') || c == '_');
    }
    QCOMPARE(names.size(), std::size_t(16));
}

void ValuesTest::unknownErrorNameIsInternal()
{
    QVERIFY(errorFromName("") == ErrorCode::Internal);
    QVERIFY(errorFromName("NOT_FOUND") == ErrorCode::Internal);
}

void ValuesTest::idsDifferAndAreTaskIds()
{
    std::set<std::string> ids;
    std::set<char> characters;
    for (int i = 0; i < 2000; ++i) {
        const std::string id = randomId();
        QCOMPARE(id.size(), std::size_t(10));
        QVERIFY(isTaskId(id));
        QVERIFY(ids.insert(id).second);
        characters.insert(id.begin(), id.end());
    }
    QCOMPARE(characters.size(), std::size_t(62));
    QCOMPARE(randomId(43).size(), std::size_t(43));
    QVERIFY(randomId(0).empty());
}

void ValuesTest::taskIds_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<bool>("good");
    QTest::newRow("letters") << QByteArray("aZ09_-x") << true;
    QTest::newRow("one") << QByteArray("a") << true;
    QTest::newRow("128") << QByteArray(128, 'a') << true;
    QTest::newRow("129") << QByteArray(129, 'a') << false;
    QTest::newRow("empty") << QByteArray() << false;
    QTest::newRow("minus first") << QByteArray("-rf") << false;
    QTest::newRow("dot") << QByteArray("a.b") << false;
    QTest::newRow("slash") << QByteArray("../x") << false;
    QTest::newRow("two headers joined") << QByteArray("1, 2") << false;
    QTest::newRow("zero") << QByteArray("a\0b", 3) << false;
    QTest::newRow("line end") << QByteArray("a\n") << false;
    QTest::newRow("umlaut") << QByteArray("\xc3\xa4") << false;
}

void ValuesTest::taskIds()
{
    QFETCH(QByteArray, text);
    QTEST(isTaskId({text.constData(), static_cast<std::size_t>(text.size())}), "good");
}

void ValuesTest::imageRows()
{
    Image image(5, 3, 4);
    QCOMPARE(image.pixels.size(), std::size_t(60));
    QCOMPARE(image.stride(), std::size_t(20));
    QCOMPARE(image.row(2) - image.row(0), std::ptrdiff_t(40));
    QVERIFY(Image().empty());
}

void ValuesTest::versionIsThreeNumbers()
{
    int dots = 0;
    for (const char c : version()) {
        QVERIFY(c == '.' || (c >= '0' && c <= '9'));
        dots += c == '.';
    }
    QCOMPARE(dots, 2);
}

void ValuesTest::logEscapesAndCounts()
{
    Log::instance().setStderrLevel(LogLevel::Error);
    logInfo("test", "first");
    const std::uint64_t before = Log::instance().linesAfter(0, 100'000).back().number;
    logWarning("test", "a\r\n2026 INFO admin logged in\x1b[2J\x7f \xc3\xa9");
    logDebug("test", std::string(10'000, 'x'));
    const std::vector<LogLine> lines = Log::instance().linesAfter(before);
    QCOMPARE(lines.size(), std::size_t(2));
    QCOMPARE(lines[0].message, std::string("a\\x0d\\x0a2026 INFO admin logged in\\x1b[2J\\x7f \xc3\xa9"));
    QVERIFY(lines[0].level == LogLevel::Warning);
    QCOMPARE(lines[0].category, std::string("test"));
    QCOMPARE(lines[0].number, before + 1);
    QCOMPARE(lines[1].message.size(), std::size_t(4096));
    QCOMPARE(Log::instance().linesAfter(before, 1).size(), std::size_t(1));
    QVERIFY(Log::instance().linesAfter(before + 2).empty());
}

void ValuesTest::logKeepsTheLatest()
{
    for (int i = 0; i < 10'050; ++i)
        logDebug("many", std::to_string(i));
    const std::vector<LogLine> lines = Log::instance().linesAfter(0, 100'000);
    QCOMPARE(lines.size(), std::size_t(10'000));
    QCOMPARE(lines.back().message, std::string("10049"));
    QCOMPARE(lines.back().number - lines.front().number, std::uint64_t(9'999));
}

void ValuesTest::logFromManyThreads()
{
    const std::uint64_t before = Log::instance().linesAfter(0, 100'000).back().number;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([] {
                for (int i = 0; i < 500; ++i)
                    logDebug("thread", "line");
            });
    }
    const std::vector<LogLine> lines = Log::instance().linesAfter(before, 100'000);
    QCOMPARE(lines.size(), std::size_t(2000));
    for (std::size_t i = 0; i < lines.size(); ++i)
        QCOMPARE(lines[i].number, before + 1 + i);
}

void ValuesTest::base64RoundTrip()
{
    std::string bytes;
    for (int length = 0; length < 300; ++length) {
        const std::string text = encodeBase64(bytes);
        QCOMPARE(text, QByteArray::fromStdString(bytes).toBase64().toStdString());
        const Expected<std::string> back = decodeBase64(text);
        QVERIFY(back.has_value());
        QVERIFY(*back == bytes);
        bytes.push_back(static_cast<char>(length * 91 + 7));
    }
}

void ValuesTest::base64Refuses_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("position");
    QTest::newRow("one character") << QByteArray("A") << 1;
    QTest::newRow("no padding") << QByteArray("QUI") << 3;
    QTest::newRow("too much padding") << QByteArray("Q===") << 1;
    QTest::newRow("only padding") << QByteArray("====") << 0;
    QTest::newRow("padding in the middle") << QByteArray("QQ==QQ==") << 2;
    QTest::newRow("blank") << QByteArray("QUJD QUJD") << 4;
    QTest::newRow("line end") << QByteArray("QUJD\nQUJD") << 4;
    QTest::newRow("line end last") << QByteArray("QUJD\n") << 4;
    QTest::newRow("of the URL alphabet") << QByteArray("QU-_") << 2;
    QTest::newRow("stray bits") << QByteArray("QR==") << 1;
    QTest::newRow("more stray bits") << QByteArray("QUJDQUF=") << 6;
    QTest::newRow("zero") << QByteArray("QU\0D", 4) << 2;
    QTest::newRow("high byte") << QByteArray("QUJDQUJDQUJD\xffUJD") << 12;
    QTest::newRow("data URL of another coding") << QByteArray("data:text/plain,abc") << 4;
    QTest::newRow("damage behind a data URL") << QByteArray("data:image/png;base64,QU?D") << 24;
}

void ValuesTest::base64Refuses()
{
    QFETCH(QByteArray, text);
    QFETCH(int, position);
    const Expected<std::string> bytes = decodeBase64({text.constData(), static_cast<std::size_t>(text.size())});
    QVERIFY(!bytes);
    QVERIFY(bytes.error().code == ErrorCode::InvalidArgument);
    QCOMPARE(bytes.error().message, "invalid base64 at " + std::to_string(position));
}

void ValuesTest::base64TakesDataUrls()
{
    QCOMPARE(decodeBase64("data:image/png;base64,QUJD").value(), std::string("ABC"));
    QCOMPARE(decodeBase64("data:;base64,").value(), std::string());
    QCOMPARE(decodeBase64("").value(), std::string());
}

void ValuesTest::utf8_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<bool>("good");
    QTest::newRow("ASCII") << QByteArray("abc\x7f") << true;
    QTest::newRow("two, three and four bytes")
        << QByteArray("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") << true;
    QTest::newRow("overlong two") << QByteArray("\xc1\xbf") << false;
    QTest::newRow("overlong three") << QByteArray("\xe0\x9f\xbf") << false;
    QTest::newRow("overlong four") << QByteArray("\xf0\x8f\xbf\xbf") << false;
    QTest::newRow("surrogate") << QByteArray("\xed\xa0\x80") << false;
    QTest::newRow("above the last") << QByteArray("\xf4\x90\x80\x80") << false;
    QTest::newRow("cut") << QByteArray("a\xe2\x82") << false;
    QTest::newRow("continuation alone") << QByteArray("\x80") << false;
    QTest::newRow("no byte of UTF-8") << QByteArray("\xff") << false;
}

void ValuesTest::utf8()
{
    QFETCH(QByteArray, text);
    QFETCH(bool, good);
    const std::string_view view(text.constData(), static_cast<std::size_t>(text.size()));
    QCOMPARE(isUtf8(view), good);
    const std::string back = encodeUtf8(decodeUtf8(view));
    QCOMPARE(back == view, good);
    QVERIFY(isUtf8(back));
}

void ValuesTest::memoryOfMachineAndGroups()
{
    const QTemporaryDir folder;
    const std::filesystem::path root = folder.path().toStdString(), proc = root / "proc", groups = root / "groups";
    const auto write = [](const std::filesystem::path &path, const std::string &text) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
    };
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(0));
    write(proc / "meminfo", "MemTotal:       2000 kB\nMemAvailable:   1000 kB\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(1'024'000));
    QCOMPARE(totalMemory(proc, groups), std::uint64_t(2'048'000));
    // The second version: the smallest room on the way up counts, and pages of files are no use.
    write(proc / "self/cgroup", "0::/user/job\n");
    write(groups / "user/job/memory.max", "max\n");
    write(groups / "user/memory.max", "500000\n");
    write(groups / "user/memory.current", "300000\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(200'000));
    write(groups / "user/memory.stat", "anon 100000\nactive_file 50000\ninactive_file 40000\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(290'000));
    QCOMPARE(totalMemory(proc, groups), std::uint64_t(500'000));
    write(groups / "user/job/memory.max", "100\n");
    write(groups / "user/job/memory.current", "200\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(0));
    // The first version, in a group that is mounted elsewhere: the root's own limit counts.
    write(proc / "self/cgroup", "5:cpu:/a\n4:devices,memory:/gone/away\nnonsense\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(1'024'000));
    write(groups / "memory/memory.limit_in_bytes", "700000\n");
    write(groups / "memory/memory.usage_in_bytes", "600000\n");
    write(groups / "memory/memory.stat", "total_inactive_file 100000\n");
    QCOMPARE(availableMemory(proc, groups), std::uint64_t(200'000));
    QCOMPARE(totalMemory(proc, groups), std::uint64_t(700'000));
    // And this machine's own.
    QVERIFY(totalMemory() > 1u << 28);
    QVERIFY(availableMemory() > 0 && availableMemory() <= totalMemory());
}

QTEST_APPLESS_MAIN(ValuesTest)
#include "values_test.moc"
