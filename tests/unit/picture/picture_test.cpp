#include "core/picture/jpeg_codec.h"
#include "core/picture/picture.h"
#include "core/picture/png_codec.h"
#include "core/picture/webp_codec.h"

#include <QTest>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <zlib.h>

using namespace sg;

namespace {

std::string fileBytes(const std::string &name)
{
    std::ifstream file(std::string(SG_PICTURES "/") + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// What make_files.py draws.
Image pattern()
{
    Image image(19, 13, 3);
    for (int y = 0; y < 13; ++y)
        for (int x = 0; x < 19; ++x) {
            std::uint8_t *pixel = image.row(y) + x * 3;
            pixel[0] = static_cast<std::uint8_t>(x * 13);
            pixel[1] = static_cast<std::uint8_t>(y * 19);
            pixel[2] = static_cast<std::uint8_t>(x * y);
        }
    return image;
}

Image noise(int width, int height, int channels)
{
    Image image(width, height, channels);
    std::uint32_t state = 1;
    for (std::uint8_t &value : image.pixels) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<std::uint8_t>(state >> 24);
    }
    return image;
}

int largestDifference(const Image &a, const Image &b)
{
    int most = a.pixels.size() == b.pixels.size() ? 0 : 999;
    for (std::size_t i = 0; most < 999 && i < a.pixels.size(); ++i)
        most = std::max(most, std::abs(static_cast<int>(a.pixels[i]) - static_cast<int>(b.pixels[i])));
    return most;
}

void putNumber(std::string &bytes, std::size_t at, std::uint32_t value, int count)
{
    for (int i = 0; i < count; ++i)
        bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

/// A PNG chunk of type and data.
std::string chunkOf(const std::string &body)
{
    std::string chunk = std::string(4, '\0') + body + std::string(4, '\0');
    putNumber(chunk, 0, static_cast<std::uint32_t>(body.size() - 4), 4);
    const auto sum = ::crc32(0, reinterpret_cast<const Bytef *>(body.data()), static_cast<uInt>(body.size()));
    putNumber(chunk, chunk.size() - 4, static_cast<std::uint32_t>(sum), 4);
    return chunk;
}

}  // namespace

class PictureTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void pngRoundTrip_data();
    void pngRoundTrip();
    void textsRoundTrip();
    void textsThatPngCannotHold();
    void textsOfOtherWriters();
    void damagedTextsAreLeftOut();
    void bombsOfTextAreLeftOut();
    void manyBombsOfTextAreOneBudget();
    void filesOfOtherWriters_data();
    void filesOfOtherWriters();
    void lossyCodecsComeClose();
    void bombsAreRefusedByTheirHeader_data();
    void bombsAreRefusedByTheirHeader();
    void otherFormatsAreRefused_data();
    void otherFormatsAreRefused();
    void cutFilesAreErrors_data();
    void cutFilesAreErrors();
    void damagedFilesNeverCrash_data();
    void damagedFilesNeverCrash();
};

void PictureTest::pngRoundTrip_data()
{
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("level");
    for (const int channels : {1, 3, 4})
        for (const int level : {1, 2, 3})
            QTest::addRow("%d channels, level %d", channels, level) << channels << level;
}

void PictureTest::pngRoundTrip()
{
    QFETCH(int, channels);
    QFETCH(int, level);
    const Image image = noise(61, 47, channels);
    const Expected<DecodedPicture> back = decodePicture(encodePng(image, {}, level));
    QVERIFY2(back.has_value(), back ? "" : back.error().message.c_str());
    QVERIFY(back->image == image);
    QVERIFY(back->format == PictureFormat::Png && back->texts.empty());
    QVERIFY(decodePicture(encodePng(noise(1, 1, channels)))->image == noise(1, 1, channels));
}

void PictureTest::textsRoundTrip()
{
    const std::vector<TextChunk> texts{{"parameters", "a\nNegative prompt: b\nSteps: 20"},
                                       {"caf\xc3\xa9", "na\xc3\xafve"},
                                       {"world", "\xe6\x98\x9f \xf0\x9f\x98\x80"},
                                       {"empty", ""},
                                       {"parameters", std::string(70'000, 'p')}};
    const std::string png = encodePng(pattern(), texts);
    QVERIFY(readPngTexts(png).value() == texts);
    QVERIFY(decodePicture(png)->texts == texts);
    QVERIFY(decodePicture(png)->image == pattern());
    QVERIFY(png.find("tEXtparameters") != std::string::npos);
    QVERIFY(png.find("tEXtcaf\xe9") != std::string::npos);
    QVERIFY(png.find("iTXtworld") != std::string::npos);
}

void PictureTest::textsThatPngCannotHold()
{
    for (const TextChunk &text : {TextChunk{"", "x"},
                                  {std::string(80, 'k'), "x"},
                                  {"\xe6\x98\x9f", "x"},
                                  {"a\nb", "x"},
                                  {"k", std::string("a\0b", 3)}}) {
        QVERIFY(pngTextChunk(text).empty());
        QVERIFY(decodePicture(encodePng(pattern(), {text}))->texts.empty());
    }
    QVERIFY(!pngTextChunk({std::string(79, 'k'), ""}).empty());
}

void PictureTest::textsOfOtherWriters()
{
    const Expected<std::vector<TextChunk>> texts = readPngTexts(fileBytes("texts.png"));
    QCOMPARE(texts->size(), std::size_t(4));
    QVERIFY((*texts)[0] == (TextChunk{"parameters", "caf\xc3\xa9\nSteps: 20, Sampler: Euler a, CFG scale: 7.0"}));
    QVERIFY((*texts)[1] == (TextChunk{"packed", std::string(5000, 'x')}));
    QVERIFY((*texts)[2] == (TextChunk{"world", "\xe6\x98\x9f \xf0\x9f\x98\x80"}));
    QCOMPARE((*texts)[3].text.size(), std::size_t(3000));
}

void PictureTest::damagedTextsAreLeftOut()
{
    std::string png = encodePng(pattern(), {{"one", "text"}, {"two", "text"}});
    png[png.find("onetext") == std::string::npos ? png.find("one") + 4 : 0] ^= 1;
    const Expected<std::vector<TextChunk>> texts = readPngTexts(png);
    QCOMPARE(texts->size(), std::size_t(1));
    QCOMPARE(texts->front().keyword, std::string("two"));
    QVERIFY(!readPngTexts("GIF89a"));
    QVERIFY(readPngTexts(png.substr(0, 8))->empty());
}

void PictureTest::bombsOfTextAreLeftOut()
{
    // 8 MiB of one letter, twice as much as is read.
    const std::string png = encodePng(pattern(), {{"long", std::string(2 * kMaxPngText, 'x')}, {"short", "y"}});
    QCOMPARE(readPngTexts(png)->size(), std::size_t(1));
    std::vector<TextChunk> many(1000, {"k", "v"});
    QCOMPARE(readPngTexts(encodePng(pattern(), many))->size(), kMaxPngTexts);
}

void PictureTest::manyBombsOfTextAreOneBudget()
{
    const QByteArray packed = qCompress(QByteArray(static_cast<qsizetype>(kMaxPngText), 'x'), 9).mid(4);
    const std::string bomb(packed.constData(), static_cast<std::size_t>(packed.size()));
    for (const std::string &body : {std::string("zTXtk\0\0", 7) + bomb, std::string("iTXtk\0\1\0\0\0", 10) + bomb}) {
        std::string png = encodePng(pattern());
        const std::size_t end = png.size() - 12;  // before IEND
        for (int i = 0; i < 256; ++i)
            png.insert(end, chunkOf(body));
        QVERIFY(png.size() < 2u << 20);
        const Expected<std::vector<TextChunk>> texts = readPngTexts(png);
        QCOMPARE(texts->size(), std::size_t(1));
        QCOMPARE(texts->front().text.size(), kMaxPngText);
        QVERIFY(decodePicture(png)->texts == *texts);
    }
    // One that is larger than the budget spends it; a long plain one costs nothing.
    const QByteArray larger = qCompress(QByteArray(static_cast<qsizetype>(kMaxPngText) + 1, 'x'), 9).mid(4);
    std::string png =
        encodePng(pattern(), {{"long", std::string(2 * kMaxPngText, 'x')}, {"first", "y"}, {"last", "z"}});
    png.insert(png.find("tEXtlast") - 4, chunkOf(std::string("zTXtk\0\0", 7) + larger.toStdString()));
    QVERIFY(readPngTexts(png).value() == (std::vector<TextChunk>{{"first", "y"}}));
    // What Latin-1 takes in UTF-8 counts.
    png = encodePng(pattern());
    for (int i = 0; i < 3; ++i)
        png.insert(png.size() - 12, chunkOf(std::string("tEXtk\0", 6) + std::string(kMaxPngText / 4, '\xe9')));
    QCOMPARE(readPngTexts(png)->size(), std::size_t(2));
}

void PictureTest::filesOfOtherWriters_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<int>("channels");
    QTest::addColumn<int>("difference");  // most, in any channel; -1: another picture by design
    QTest::newRow("palette") << QByteArray("palette.png") << 3 << 32;
    QTest::newRow("one bit") << QByteArray("one-bit.png") << 1 << -1;
    QTest::newRow("grey") << QByteArray("grey.png") << 1 << -1;
    QTest::newRow("alpha") << QByteArray("alpha.png") << 4 << -1;
    QTest::newRow("grey and alpha") << QByteArray("grey-alpha.png") << 4 << -1;
    QTest::newRow("16 bits") << QByteArray("sixteen-bits.png") << 1 << -1;
    QTest::newRow("transparent palette") << QByteArray("transparent.png") << 4 << -1;
    QTest::newRow("texts") << QByteArray("texts.png") << 3 << 0;
    QTest::newRow("JPEG") << QByteArray("rgb.jpg") << 3 << 12;
    QTest::newRow("progressive JPEG") << QByteArray("progressive.jpg") << 3 << 12;
    QTest::newRow("grey JPEG") << QByteArray("grey.jpg") << 1 << -1;
    QTest::newRow("CMYK JPEG") << QByteArray("cmyk.jpg") << 3 << 12;
    QTest::newRow("lossless WebP") << QByteArray("lossless.webp") << 3 << 0;
    QTest::newRow("WebP with alpha") << QByteArray("alpha.webp") << 4 << -1;
    QTest::newRow("lossy WebP") << QByteArray("lossy.webp") << 3 << 64;
}

void PictureTest::filesOfOtherWriters()
{
    QFETCH(QByteArray, name);
    QFETCH(int, channels);
    QFETCH(int, difference);
    const std::string bytes = fileBytes(name.toStdString());
    QVERIFY(!bytes.empty());
    const Expected<DecodedPicture> picture = decodePicture(bytes);
    QVERIFY2(picture.has_value(), picture ? "" : picture.error().message.c_str());
    QCOMPARE(picture->image.width, 19);
    QCOMPARE(picture->image.height, 13);
    QCOMPARE(picture->image.channels, channels);
    if (difference >= 0)
        QVERIFY2(largestDifference(picture->image, pattern()) <= difference,
                 std::to_string(largestDifference(picture->image, pattern())).c_str());
    if (channels == 4 && name.startsWith("alpha")) {
        Image colours(19, 13, 3);
        for (std::size_t i = 0; i < colours.pixels.size(); ++i)
            colours.pixels[i] = picture->image.pixels[i / 3 * 4 + i % 3];
        QVERIFY(colours == pattern());
    }
}

void PictureTest::lossyCodecsComeClose()
{
    Image smooth(64, 48, 3);
    for (int y = 0; y < 48; ++y)
        for (int x = 0; x < 64; ++x)
            for (int c = 0; c < 3; ++c)
                smooth.row(y)[x * 3 + c] = static_cast<std::uint8_t>(x * 2 + y + c * 20);
    QVERIFY(largestDifference(decodePicture(encodeJpeg(smooth, 95))->image, smooth) <= 8);
    QVERIFY(largestDifference(decodePicture(encodeWebp(smooth, 95))->image, smooth) <= 12);
    QVERIFY(encodeJpeg(smooth, 20).size() < encodeJpeg(smooth, 95).size());
    QCOMPARE(decodePicture(encodeJpeg(noise(16, 16, 4), 90))->image.channels, 3);
    QCOMPARE(decodePicture(encodeJpeg(noise(16, 16, 1), 90))->image.channels, 1);
    QCOMPARE(decodePicture(encodeWebp(noise(16, 16, 1), 90))->image.channels, 3);
    QCOMPARE(decodePicture(encodeWebp(noise(16, 16, 4), 90))->image.channels, 4);
}

void PictureTest::bombsAreRefusedByTheirHeader_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("numbers");
    const auto png = [](std::uint32_t width, std::uint32_t height) {
        std::string bytes = fileBytes("grey.png");
        putNumber(bytes, 16, width, 4);
        putNumber(bytes, 20, height, 4);
        return QByteArray::fromStdString(bytes);
    };
    const auto jpeg = [](std::uint32_t width, std::uint32_t height) {
        std::string bytes = fileBytes("grey.jpg");
        const std::size_t frame = bytes.find("\xff\xc0");
        putNumber(bytes, frame + 5, height, 2);
        putNumber(bytes, frame + 7, width, 2);
        return QByteArray::fromStdString(bytes);
    };
    QTest::newRow("PNG 100000x100000") << png(100'000, 100'000) << QByteArray("100000x100000");
    QTest::newRow("PNG 4294967295") << png(4294967295u, 4294967295u) << QByteArray("4294967295x4294967295");
    QTest::newRow("PNG 8193x1") << png(8193, 1) << QByteArray("8193x1");
    QTest::newRow("PNG 8192x4097") << png(8192, 4097) << QByteArray("8192x4097");
    QTest::newRow("JPEG 65535x65535") << jpeg(65535, 65535) << QByteArray("65535x65535");
    QTest::newRow("WebP 16383x16383") << QByteArray::fromHex("52494646160000005745425056503820"
                                                             "0a000000"
                                                             "3001009d012aff3fff3f0000")
                                      << QByteArray("16383x16383");
    QTest::newRow("lossless WebP 16384x16384") << QByteArray::fromHex("5249464612000000574542505650384c05000000"
                                                                      "2fffffff0f00")
                                               << QByteArray("16384x16384");
}

void PictureTest::bombsAreRefusedByTheirHeader()
{
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, numbers);
    const Expected<DecodedPicture> picture = decodePicture({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    QVERIFY(!picture);
    QVERIFY2(picture.error().code == ErrorCode::TooLarge, picture.error().message.c_str());
    QVERIFY2(picture.error().message.find(numbers.toStdString()) != std::string::npos, picture.error().message.c_str());
}

void PictureTest::otherFormatsAreRefused_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::newRow("nothing") << QByteArray();
    QTest::newRow("GIF") << QByteArray("GIF89a\x01\0\x01\0", 10);
    QTest::newRow("TIFF") << QByteArray("II*\0\x08\0\0\0", 8);
    QTest::newRow("BMP") << QByteArray("BM\x1a\0\0\0\0\0", 8);
    QTest::newRow("EXR") << QByteArray("v/1\x01");
    QTest::newRow("SVG") << QByteArray("<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    QTest::newRow("RIFF, but sound") << QByteArray("RIFF\x10\0\0\0WAVEfmt ", 16);
    QTest::newRow("PNG signature alone") << QByteArray("\x89PNG\r\n\x1a\n");
    QTest::newRow("JPEG signature alone") << QByteArray("\xff\xd8\xff");
    QTest::newRow("WebP signature alone") << QByteArray("RIFF\0\0\0\0WEBP", 12);
    QTest::newRow("PNG of 0 pixels") << [] {
        std::string bytes = fileBytes("grey.png");
        putNumber(bytes, 16, 0, 4);
        return QByteArray::fromStdString(bytes);
    }();
    QTest::newRow("animation") << QByteArray::fromStdString(fileBytes("animated.webp"));
}

void PictureTest::otherFormatsAreRefused()
{
    QFETCH(QByteArray, bytes);
    const Expected<DecodedPicture> picture = decodePicture({bytes.constData(), static_cast<std::size_t>(bytes.size())});
    QVERIFY(!picture && picture.error().code == ErrorCode::UnusableFile);
}

void PictureTest::cutFilesAreErrors_data()
{
    QTest::addColumn<QByteArray>("name");
    for (const char *name : {"texts.png", "palette.png", "rgb.jpg", "progressive.jpg", "lossless.webp", "lossy.webp"})
        QTest::newRow(name) << QByteArray(name);
}

void PictureTest::cutFilesAreErrors()
{
    QFETCH(QByteArray, name);
    const std::string bytes = fileBytes(name.toStdString());
    // A JPEG may lack its last marker, a PNG's last chunk its sum: both still hold every pixel.
    for (std::size_t length = 0; length + 24 < bytes.size(); length += 1 + bytes.size() / 200) {
        const Expected<DecodedPicture> picture = decodePicture(std::string_view(bytes).substr(0, length));
        QVERIFY2(!picture, std::to_string(length).c_str());
        QVERIFY(picture.error().code == ErrorCode::UnusableFile || picture.error().code == ErrorCode::TooLarge);
    }
}

void PictureTest::damagedFilesNeverCrash_data()
{
    QTest::addColumn<QByteArray>("name");
    for (const auto &entry : std::filesystem::directory_iterator(SG_PICTURES))
        if (entry.path().extension() != ".py")
            QTest::newRow(entry.path().filename().c_str()) << QByteArray(entry.path().filename().c_str());
}

void PictureTest::damagedFilesNeverCrash()
{
    QFETCH(QByteArray, name);
    const std::string bytes = fileBytes(name.toStdString());
    for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 400)
        for (const char damage : {'\0', '\xff', '\x01'}) {
            std::string changed = bytes;
            changed[at] = damage;
            const Expected<DecodedPicture> picture = decodePicture(changed);
            if (picture)
                QVERIFY(picture->image.width <= kMaxPictureSide && !picture->image.empty());
            else
                QVERIFY(!picture.error().message.empty());
        }
}

QTEST_APPLESS_MAIN(PictureTest)
#include "picture_test.moc"
