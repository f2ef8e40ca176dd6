#include "core/server/http/request_head.h"

#include <QTest>

#include <random>

using namespace sg::http;

namespace {

const std::string kHost = "Host: 127.0.0.1:80\r\n";

/// 0 for "more is needed", 200 for a head, else the refusal's status.
int verdict(std::string_view bytes)
{
    std::size_t scanned = 0;
    const auto result = readHead(bytes, scanned, HttpLimits{});
    if (std::holds_alternative<NeedMore>(result)) return 0;
    const auto *refusal = std::get_if<Refusal>(&result);
    return refusal ? refusal->status : 200;
}

RequestHead headOf(std::string_view bytes)
{
    std::size_t scanned = 0;
    auto result = readHead(bytes, scanned, HttpLimits{});
    auto *head = std::get_if<RequestHead>(&result);
    return head ? *head : RequestHead{};
}

}  // namespace

class RequestHeadTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void parts();
    void everyPrefixNeedsMore();
    void scannedCarriesOn();
    void limitsAreExact();
    void utf8();
    void changedBytesNeverSlipThrough();
};

void RequestHeadTest::parts()
{
    const std::string text =
        "POST /a%2Fb//c%20d?x=1+2&y=%26&z HTTP/1.1\r\n" + kHost + "Content-Length: 007\r\nX-A:  b c \t\r\n\r\nbody";
    const RequestHead head = headOf(text);
    QCOMPARE(head.method, std::string("POST"));
    QCOMPARE(head.segments, (std::vector<std::string>{"a/b", "", "c d"}));
    QVERIFY(head.parameter("x") == "1 2" && head.parameter("y") == "&" && head.parameter("z") == "");
    QVERIFY(!head.parameter("w"));
    QCOMPARE(head.contentLength, std::uint64_t{7});
    QVERIFY(head.field("x-a") == "b c");
    QCOMPARE(head.bytes, text.size() - 4);
    QCOMPARE(head.path(), std::string("/a%2Fb//c%20d"));
}

void RequestHeadTest::everyPrefixNeedsMore()
{
    const std::string text = "GET /models?limit=5 HTTP/1.1\r\n" + kHost + "Accept: */*\r\n\r\n";
    for (std::size_t length = 0; length < text.size(); ++length)
        QCOMPARE(verdict(text.substr(0, length)), 0);
    QCOMPARE(verdict(text), 200);
}

void RequestHeadTest::scannedCarriesOn()
{
    const std::string text = "GET / HTTP/1.1\r\n" + kHost + "\r\n";
    std::size_t scanned = 0;
    for (std::size_t length = 1; length < text.size(); ++length)
        QVERIFY(std::holds_alternative<NeedMore>(readHead(text.substr(0, length), scanned, HttpLimits{})));
    QVERIFY(std::holds_alternative<RequestHead>(readHead(text, scanned, HttpLimits{})));
}

void RequestHeadTest::limitsAreExact()
{
    const auto withUrl = [](std::size_t length) {
        return "GET /" + std::string(length - 1, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n";
    };
    QCOMPARE(verdict(withUrl(8192)), 200);
    QCOMPARE(verdict(withUrl(8193)), 414);
    const auto withHead = [](std::size_t length) {
        const std::string start = "GET / HTTP/1.1\r\n" + kHost + "X: ";
        return start + std::string(length - start.size() - 4, 'y') + "\r\n\r\n";
    };
    QCOMPARE(verdict(withHead(16384)), 200);
    QCOMPARE(verdict(withHead(16385)), 431);
    const auto withFields = [](int count) {
        std::string text = "GET / HTTP/1.1\r\n" + kHost;
        for (int i = 1; i < count; ++i)
            text += "X: y\r\n";
        return text + "\r\n";
    };
    QCOMPARE(verdict(withFields(100)), 200);
    QCOMPARE(verdict(withFields(101)), 431);
    const auto withLength = [](const char *length) {
        return "POST / HTTP/1.1\r\n" + kHost + "Content-Length: " + length + "\r\n\r\n";
    };
    QCOMPARE(verdict(withLength("67108864")), 200);
    QCOMPARE(verdict(withLength("67108865")), 413);
    QCOMPARE(verdict(withLength("18446744073709551616")), 413);
    QCOMPARE(verdict(withLength("00000000000000000000000000000000000005")), 200);
}

void RequestHeadTest::utf8()
{
    for (const char *good : {"", "a b", "\xc3\xa4", "\xe2\x88\x95", "\xf0\x9f\x98\x80"})
        QVERIFY2(isCleanUtf8(good), good);
    for (const char *bad :
         {"\x01", "\x7f", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xc3", "\xc2\x85"})
        QVERIFY2(!isCleanUtf8(bad), bad);
    QVERIFY(!percentDecode("%4") && !percentDecode("%") && !percentDecode("%g0"));
    QCOMPARE(*percentDecode("%41%2b+", true), std::string("A+ "));
}

/// One byte changed, put in or taken out, 20,000 times: no crash, and what is let through keeps its promises.
void RequestHeadTest::changedBytesNeverSlipThrough()
{
    const std::string good =
        "POST /txt2img?a=b HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\nExpect: 100-continue\r\ntaskId: x\r\n\r\n";
    std::mt19937 random(4);
    int passed = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (int change = 0; change <= static_cast<int>(random() % 3); ++change) {
            const std::size_t at = random() % text.size();
            if (random() % 3 == 0)
                text.erase(at, 1);
            else if (random() % 2 == 0)
                text.insert(at, 1, static_cast<char>(random() % 256));
            else
                text[at] = static_cast<char>(random() % 256);
        }
        if (verdict(text) != 200) continue;
        ++passed;
        const RequestHead head = headOf(text);
        QVERIFY(head.field("host") && !head.field("transfer-encoding"));
        QCOMPARE(text.substr(head.bytes - 4, 4), std::string("\r\n\r\n"));
        QVERIFY(text.find('\0') == std::string::npos || text.find('\0') >= head.bytes);
        for (const auto &[name, value] : head.fields)
            QVERIFY(value.find_first_of("\r\n") == std::string::npos);
    }
    QVERIFY(passed > 100);
}

QTEST_GUILESS_MAIN(RequestHeadTest)
#include "request_head_test.moc"
