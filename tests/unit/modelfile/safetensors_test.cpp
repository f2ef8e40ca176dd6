#include "core/base/json.h"
#include "core/modelfile/safetensors.h"

#include <QTemporaryDir>
#include <QTest>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <utime.h>

using namespace sg;

namespace {

/// The bytes of a file with this header and `data` zeros behind it.
std::string fileOf(const std::string &header, std::size_t data)
{
    std::string bytes;
    for (int i = 0; i < 8; ++i)
        bytes.push_back(static_cast<char>(header.size() >> (8 * i) & 0xff));
    return bytes + header + std::string(data, '\0');
}

std::string lengthBytes(std::uint64_t value)
{
    std::string bytes;
    for (int i = 0; i < 8; ++i)
        bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
    return bytes;
}

std::string tensor(const std::string &name, const std::string &type, const std::string &shape,
                   const std::string &offsets)
{
    std::string out("\"");
    out.append(name).append("\":{\"dtype\":\"").append(type).append("\",\"shape\":").append(shape);
    return out.append(",\"data_offsets\":").append(offsets).append("}");
}

}  // namespace

class SafetensorsTest final : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_path = m_folder.path().toStdString() + "/model.safetensors"; }
    void readsNamesShapesAndPlaces();
    void everyTypeHasItsSize_data();
    void everyTypeHasItsSize();
    void emptyTensorsAndScalars();
    void paddedHeader();
    void brokenFiles_data();
    void brokenFiles();
    void brokenHeaders_data();
    void brokenHeaders();
    void otherFiles();
    void linksAreFollowed();
    void manyTensors();
    void identityFollowsTheFile();
    void shapeHelpers();

private:
    void write(const std::string &bytes) { std::ofstream(m_path, std::ios::binary | std::ios::trunc) << bytes; }

    QTemporaryDir m_folder;
    std::string m_path;
};

void SafetensorsTest::readsNamesShapesAndPlaces()
{
    const std::string header = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"v\"}," +
                               tensor("b", "F16", "[2,3]", "[4,16]") + "," + tensor("a.weight", "F32", "[1]", "[0,4]") +
                               "}";
    write(fileOf(header, 16));
    const Expected<TensorIndex> index = readSafetensors(m_path);
    QVERIFY2(index.has_value(), index ? "" : index.error().message.c_str());
    QCOMPARE(index->tensors().size(), std::size_t(2));
    QCOMPARE(index->path(), m_path);
    QCOMPARE(index->fileSize(), 8 + header.size() + 16);
    QVERIFY(*index->find("b") == (TensorInfo{DType::F16, {2, 3}, 8 + header.size() + 4, 12}));
    QVERIFY(*index->find("a.weight") == (TensorInfo{DType::F32, {1}, 8 + header.size(), 4}));
    QCOMPARE(std::string(index->meta("k")), std::string("v"));
    QCOMPARE(index->metadata().size(), std::size_t(2));
    QVERIFY(!index->contains("a"));
    QVERIFY(!index->contains("__metadata__"));
}

void SafetensorsTest::everyTypeHasItsSize_data()
{
    QTest::addColumn<QByteArray>("type");
    QTest::addColumn<int>("bytesOfEight");
    const auto row = [](const char *type, int bytes) { QTest::newRow(type) << QByteArray(type) << bytes; };
    for (const char *type : {"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
        row(type, 8);
    for (const char *type : {"U16", "I16", "F16", "BF16"})
        row(type, 16);
    for (const char *type : {"U32", "I32", "F32"})
        row(type, 32);
    for (const char *type : {"U64", "I64", "F64", "C64"})
        row(type, 64);
    row("F4", 4);
    row("F6_E2M3", 6);
    row("F6_E3M2", 6);
}

void SafetensorsTest::everyTypeHasItsSize()
{
    QFETCH(QByteArray, type);
    QFETCH(int, bytesOfEight);
    const std::string end = std::to_string(bytesOfEight);
    const std::string header = "{" + tensor("t", type.toStdString(), "[8]", "[0," + end + "]") + "}";
    const Expected<TensorIndex> index =
        parseSafetensors(header, 8 + header.size() + static_cast<std::size_t>(bytesOfEight));
    QVERIFY2(index.has_value(), index ? "" : index.error().message.c_str());
    const TensorInfo *info = index->find("t");
    QCOMPARE(dtypeName(info->dtype), std::string_view(type.constData()));
    QCOMPARE(dtypeBits(info->dtype), bytesOfEight);
    QVERIFY(!parseSafetensors(header, 8 + header.size() + static_cast<std::size_t>(bytesOfEight) - 1));
}

void SafetensorsTest::emptyTensorsAndScalars()
{
    const std::string header = "{" + tensor("none", "F32", "[0,7]", "[0,0]") + "," +
                               tensor("scalar", "F32", "[]", "[0,4]") + "," + tensor("last", "F32", "[3,0]", "[4,4]") +
                               "}";
    const Expected<TensorIndex> index = parseSafetensors(header, 8 + header.size() + 4);
    QVERIFY2(index.has_value(), index ? "" : index.error().message.c_str());
    QCOMPARE(index->find("scalar")->elements(), std::int64_t(1));
    QCOMPARE(index->find("none")->elements(), std::int64_t(0));
    QVERIFY(parseSafetensors("{}", 10).has_value());
}

void SafetensorsTest::paddedHeader()
{
    const std::string header = "{" + tensor("t", "U8", "[1]", "[0,1]") + "}      ";
    QVERIFY(parseSafetensors(header, 8 + header.size() + 1).has_value());
}

void SafetensorsTest::brokenFiles_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QByteArray>("rule");
    const auto row = [](const char *name, const std::string &bytes, const char *rule) {
        QTest::newRow(name) << QByteArray::fromStdString(bytes) << QByteArray(rule);
    };
    row("nothing", "", "too short");
    row("9 bytes", lengthBytes(1) + "{", "too short");
    row("length 0", lengthBytes(0) + "{}{}{}", "at least 2");
    row("length 1", lengthBytes(1) + "{}{}{}", "at least 2");
    row("length past the end", lengthBytes(3) + "{}", "longer than the file");
    row("length 2^63", lengthBytes(std::uint64_t(1) << 63) + "{}", "longer than the file");
    row("length 2^64-1", lengthBytes(~std::uint64_t(0)) + "{}", "longer than the file");
    row("length 2^64-8", lengthBytes(~std::uint64_t(7)) + "{}", "longer than the file");
    row("no brace", lengthBytes(4) + "[{}]", "begin with {");
    row("blank first", lengthBytes(3) + " {}", "begin with {");
    row("trailing bytes", lengthBytes(2) + "{}x", "trailing");
    row("bad UTF-8", lengthBytes(8) + "{\"\xff\":{}}", "header: ");
}

void SafetensorsTest::brokenFiles()
{
    QFETCH(QByteArray, bytes);
    QFETCH(QByteArray, rule);
    write(bytes.toStdString());
    const Expected<TensorIndex> index = readSafetensors(m_path);
    QVERIFY(!index);
    QVERIFY(index.error().code == ErrorCode::UnusableFile);
    QCOMPARE(index.error().subject, m_path);
    QVERIFY2(index.error().message.find(rule.toStdString()) != std::string::npos, index.error().message.c_str());
}

void SafetensorsTest::brokenHeaders_data()
{
    QTest::addColumn<QByteArray>("header");
    QTest::addColumn<int>("data");
    QTest::addColumn<QByteArray>("rule");
    const auto row = [](const char *name, const std::string &inside, int data, const char *rule) {
        QTest::newRow(name) << QByteArray::fromStdString("{" + inside + "}") << data << QByteArray(rule);
    };
    const auto one = [](const char *type, const char *shape, const char *offsets) {
        return tensor("t", type, shape, offsets);
    };
    row("depth 5000", "\"a\":" + std::string(5000, '['), 0, "nested deeper");
    row("duplicate name", one("U8", "[1]", "[0,1]") + "," + one("U8", "[1]", "[0,1]"), 1, "duplicate key");
    row("duplicate field", "\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}", 1,
        "duplicate key");
    row("tensor no object", "\"t\":[]", 0, "must be an object");
    row("no type", "\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}", 1, "needs a dtype");
    row("type no text", "\"t\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}", 1, "needs a dtype");
    row("unknown type", one("F128", "[1]", "[0,16]"), 16, "unknown dtype \"F128\"");
    row("type in small letters", one("f32", "[1]", "[0,4]"), 4, "unknown dtype");
    row("no shape", "\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}", 1, "needs a shape");
    row("negative dimension", one("U8", "[-1]", "[0,1]"), 1, "each dimension");
    row("dimension with a fraction", one("U8", "[1.0]", "[0,1]"), 1, "each dimension");
    row("dimension a text", one("U8", "[\"1\"]", "[0,1]"), 1, "each dimension");
    row("dimension of 2^63", one("U8", "[9223372036854775808]", "[0,1]"), 1, "each dimension");
    row("17 dimensions", one("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "dimensions");
    row("shape overflows", one("U8", "[4294967296,4294967296]", "[0,0]"), 0, "overflows 64 bits");
    row("shape overflows to a small number", one("U8", "[4294967297,4294967297]", "[0,1]"), 1, "overflow");
    row("shape and type overflow", one("F64", "[2305843009213693952]", "[0,0]"), 0, "overflow");
    row("overflow hidden by a zero", one("U8", "[9223372036854775807,9223372036854775807,0]", "[0,0]"), 0, "overflow");
    row("half a byte", one("F4", "[3]", "[0,1]"), 1, "whole byte");
    row("no offsets", "\"t\":{\"dtype\":\"U8\",\"shape\":[1]}", 1, "data_offsets must be");
    row("one offset", one("U8", "[1]", "[0]"), 1, "data_offsets must be");
    row("three offsets", one("U8", "[1]", "[0,1,2]"), 1, "data_offsets must be");
    row("negative offset", one("U8", "[1]", "[-1,0]"), 1, "data_offsets must be");
    row("offset with a fraction", one("U8", "[1]", "[0.0,1]"), 1, "data_offsets must be");
    row("offsets reversed", one("U8", "[1]", "[1,0]"), 1, "reversed");
    row("past the end", one("U8", "[2]", "[0,2]"), 1, "cut off");
    row("offset 2^64-1", one("U8", "[1]", "[18446744073709551614,18446744073709551615]"), 1, "cut off");
    row("shape larger than bytes", one("F32", "[2]", "[0,4]"), 4, "need 8 bytes");
    row("shape smaller than bytes", one("F32", "[1]", "[0,8]"), 8, "need 4 bytes");
    row("hole in front", one("U8", "[1]", "[1,2]"), 2, "hole of 1");
    row("hole between", tensor("a", "U8", "[1]", "[0,1]") + "," + tensor("b", "U8", "[1]", "[2,3]"), 3, "hole of 1");
    row("overlap", tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("b", "U8", "[2]", "[1,3]"), 3, "overlaps");
    row("same bytes twice", tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("b", "U8", "[2]", "[0,2]"), 2, "overlaps");
    row("empty tensor inside another", tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("b", "U8", "[0]", "[1,1]"), 2,
        "overlaps");
    row("trailing bytes", one("U8", "[1]", "[0,1]"), 2, "trailing");
    row("metadata no object", "\"__metadata__\":[]", 0, "__metadata__ must be");
    row("metadata not of texts", "\"__metadata__\":{\"a\":1}", 0, "must be a text");
    row("two values", "},{", 0, "header: ");
    row("comma at the end", "\"__metadata__\":{},", 0, "header: ");
}

void SafetensorsTest::brokenHeaders()
{
    QFETCH(QByteArray, header);
    QFETCH(int, data);
    QFETCH(QByteArray, rule);
    write(fileOf(header.toStdString(), static_cast<std::size_t>(data)));
    const Expected<TensorIndex> index = readSafetensors(m_path);
    QVERIFY(!index);
    QVERIFY(index.error().code == ErrorCode::UnusableFile);
    QCOMPARE(index.error().subject, m_path);
    QVERIFY2(index.error().message.find(rule.toStdString()) != std::string::npos, index.error().message.c_str());
}

void SafetensorsTest::otherFiles()
{
    QVERIFY(readSafetensors(m_folder.path().toStdString()).error().code == ErrorCode::UnusableFile);
    QVERIFY(readSafetensors(m_folder.path().toStdString() + "/absent").error().code == ErrorCode::NotFound);
    QVERIFY(readSafetensors("/dev/zero").error().code == ErrorCode::UnusableFile);
    const std::string pipe = m_folder.path().toStdString() + "/pipe";
    QCOMPARE(::mkfifo(pipe.c_str(), 0600), 0);
    QVERIFY(readSafetensors(pipe).error().code == ErrorCode::UnusableFile);  // and does not wait for a writer
    // A header said to be longer than allowed, in a file that really is that long: refused before it is read.
    write(lengthBytes(kMaxSafetensorsHeader + 1) + "{");
    std::filesystem::resize_file(m_path, kMaxSafetensorsHeader + 1000);
    const Expected<TensorIndex> index = readSafetensors(m_path);
    QVERIFY(!index && index.error().message.find("at most 100000000") != std::string::npos);
}

void SafetensorsTest::linksAreFollowed()
{
    write(fileOf("{}", 0));
    const std::string link = m_folder.path().toStdString() + "/link.safetensors";
    std::filesystem::create_symlink(m_path, link);
    QVERIFY(readSafetensors(link).has_value());
    QVERIFY(readSafetensors(link)->identity() == readSafetensors(m_path)->identity());
}

void SafetensorsTest::manyTensors()
{
    std::string header = "{";
    for (int i = 0; i < 100'000; ++i)
        header += (i ? "," : "") + tensor("blocks." + std::to_string(i), "U8", "[1]",
                                          "[" + std::to_string(i) + "," + std::to_string(i + 1) + "]");
    header += "}";
    const Expected<TensorIndex> index = parseSafetensors(header, 8 + header.size() + 100'000);
    QVERIFY2(index.has_value(), index ? "" : index.error().message.c_str());
    QCOMPARE(index->tensors().size(), std::size_t(100'000));
}

void SafetensorsTest::identityFollowsTheFile()
{
    write(fileOf("{}", 0));
    const FileIdentity first = readSafetensors(m_path)->identity();
    QVERIFY(fileIdentity(m_path).value() == first);
    QCOMPARE(first.size, std::uint64_t(10));
    const utimbuf times{1'000'000, 2'000'000};
    QCOMPARE(::utime(m_path.c_str(), &times), 0);
    QCOMPARE(fileIdentity(m_path)->modified, std::int64_t(2'000'000) * 1'000'000'000);
    QVERIFY(!(fileIdentity(m_path).value() == first));
    QVERIFY(fileIdentity(m_path + "x").error().code == ErrorCode::NotFound);
    QVERIFY(fileIdentity("/dev/null").error().code == ErrorCode::UnusableFile);
}

void SafetensorsTest::shapeHelpers()
{
    TensorIndex::Tensors tensors{{"a.b", {DType::F32, {2, 3}, 0, 24}}, {"a.c", {DType::F32, {}, 24, 4}}};
    const TensorIndex index({}, 28, {}, std::move(tensors));
    QCOMPARE(index.dim("a.b", 1), std::int64_t(3));
    QCOMPARE(index.dim("a.b", 2), std::int64_t(-1));
    QCOMPARE(index.dim("x", 0), std::int64_t(-1));
    QCOMPARE(index.rank("a.c"), 0);
    QCOMPARE(index.rank("x"), -1);
    QVERIFY(index.hasPrefix("a."));
    QVERIFY(!index.hasPrefix("a.d"));
    QVERIFY(!index.hasPrefix("b"));
}

QTEST_APPLESS_MAIN(SafetensorsTest)
#include "safetensors_test.moc"
