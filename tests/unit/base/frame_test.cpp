#include "core/base/frame.h"

#include <QTest>

#include <random>
#include <string>
#include <vector>

using namespace sg;

namespace {

struct Got {
    std::vector<Frame> frames;
    int errors = 0;
};

/// Feeds `bytes` in pieces of `piece` and takes out all that comes.
Got readAll(std::string_view bytes, std::size_t piece)
{
    FrameReader reader;
    Got got;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.substr(at, piece));
        while (auto next = reader.next()) {
            if (*next)
                got.frames.push_back(std::move(**next));
            else
                ++got.errors;
        }
    }
    return got;
}

const Json kHeader{{"type", "image"}, {"id", "t1"}, {"index", 3}};

}  // namespace

class FrameTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void prefixIsLittleEndian();
    void roundTrip_data();
    void roundTrip();
    void garbageIsSkippedAndReportedOnce();
    void headerWithoutTypeOrIdIsAnError();
    void frameBehindABrokenHeaderIsFound();
    void impossibleLengthsAreGarbage();
    void tooLongPayloadIsNotWaitedFor();
    void randomBytesNeverHideAFrame();
};

void FrameTest::prefixIsLittleEndian()
{
    const std::string frame = encodeFrame({{"type", "a"}, {"id", ""}}, std::string(300, 'p'));
    const std::string header = R"({"type":"a","id":""})";
    QCOMPARE(frame.size(), 8 + header.size() + 300);
    QCOMPARE(frame.substr(0, 8), std::string({static_cast<char>(header.size()), 0, 0, 0, 0x2c, 1, 0, 0}));
    QCOMPARE(frame.substr(8, header.size()), header);
}

void FrameTest::roundTrip_data()
{
    QTest::addColumn<int>("piece");
    QTest::addColumn<int>("payload");
    for (const int piece : {1, 7, 8, 9, 4096, 1 << 20})
        for (const int payload : {0, 1, 100'000})
            QTest::addRow("pieces of %d, payload of %d", piece, payload) << piece << payload;
}

void FrameTest::roundTrip()
{
    QFETCH(int, piece);
    QFETCH(int, payload);
    std::string body;
    for (int i = 0; i < payload; ++i)
        body.push_back(static_cast<char>(i * 31));
    const std::string stream = encodeFrame(kHeader, body) + encodeFrame(kHeader) + encodeFrame(kHeader, body);
    const Got got = readAll(stream, static_cast<std::size_t>(piece));
    QCOMPARE(got.errors, 0);
    QCOMPARE(got.frames.size(), std::size_t(3));
    QVERIFY(got.frames[0].header == kHeader && got.frames[2].header == kHeader);
    QVERIFY(got.frames[0].payload == body && got.frames[1].payload.empty() && got.frames[2].payload == body);
}

void FrameTest::garbageIsSkippedAndReportedOnce()
{
    const std::string stream =
        "hello, this is no frame" + encodeFrame(kHeader, "x") + "more of it" + encodeFrame(kHeader, "y");
    FrameReader reader;
    reader.feed(stream);
    auto first = reader.next();
    QVERIFY(first && !*first);
    QVERIFY((*first).error().code == ErrorCode::InvalidArgument);
    QCOMPARE((*first).error().message, std::string("23 bytes that are no frame were skipped"));
    auto second = reader.next();
    QVERIFY(second && *second);
    QCOMPARE((**second).payload, std::string("x"));
    auto third = reader.next();
    QVERIFY(third && !*third);
    auto fourth = reader.next();
    QVERIFY(fourth && *fourth);
    QCOMPARE((**fourth).payload, std::string("y"));
    QVERIFY(!reader.next());
    QCOMPARE(reader.pending(), std::size_t(0));
}

void FrameTest::headerWithoutTypeOrIdIsAnError()
{
    for (const Json &header : {Json{{"type", "a"}}, Json{{"id", "a"}}, Json{{"type", 1}, {"id", "a"}},
                               Json{{"type", "a"}, {"id", nullptr}}}) {
        const Got got = readAll(encodeFrame(header, "payload") + encodeFrame(kHeader), 5);
        QVERIFY(got.errors >= 1);
        QCOMPARE(got.frames.size(), std::size_t(1));
        QVERIFY(got.frames[0].header == kHeader);
    }
}

void FrameTest::frameBehindABrokenHeaderIsFound()
{
    std::string broken = encodeFrame(kHeader);
    broken[20] = '\x01';
    const Got got = readAll(broken + encodeFrame(kHeader, "z"), 3);
    QVERIFY(got.errors >= 1);
    QCOMPARE(got.frames.size(), std::size_t(1));
    QCOMPARE(got.frames[0].payload, std::string("z"));
}

void FrameTest::impossibleLengthsAreGarbage()
{
    const auto prefixed = [](std::uint32_t header, std::uint32_t payload) {
        std::string bytes;
        for (const std::uint32_t value : {header, payload})
            for (int i = 0; i < 4; ++i)
                bytes.push_back(static_cast<char>(value >> (8 * i)));
        return bytes + "{\"type\":\"a\",\"id\":\"b\"}";
    };
    for (const auto &[header, payload] : {std::pair(0u, 0u),
                                          {1u, 0u},
                                          {kMaxFrameHeader + 1u, 0u},
                                          {0xffffffffu, 0u},
                                          {21u, 0xffffffffu},
                                          {21u, static_cast<unsigned>(kMaxFramePayload) + 1u}}) {
        const Got got = readAll(prefixed(static_cast<std::uint32_t>(header), payload) + encodeFrame(kHeader), 64);
        QVERIFY(got.errors >= 1);
        QCOMPARE(got.frames.size(), std::size_t(1));
    }
}

void FrameTest::tooLongPayloadIsNotWaitedFor()
{
    FrameReader reader;
    reader.feed(std::string("\x16\0\0\0\xff\xff\xff\x7f", 8) + R"({"type":"a","id":"bc"})");
    const auto next = reader.next();
    QVERIFY(next && !*next);
}

void FrameTest::randomBytesNeverHideAFrame()
{
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        std::string noise(random() % 200, '\0');
        for (char &c : noise)
            c = static_cast<char>(random() % 256);
        // A frame of 3 bytes is too short to be swallowed as the payload of a random prefix that looks like one: the
        // tail decides.
        const Got got = readAll(noise + encodeFrame(kHeader, "tail"), 1 + random() % 50);
        QVERIFY(got.frames.size() == 1 || noise.find('{') != std::string::npos);
        if (!got.frames.empty()) QCOMPARE(got.frames.back().payload, std::string("tail"));
    }
}

QTEST_APPLESS_MAIN(FrameTest)
#include "frame_test.moc"
