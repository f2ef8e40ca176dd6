#include "core/picture/exif.h"

#include "core/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace sg {
namespace {

constexpr std::string_view kMark("Exif\0\0", 6);
constexpr std::uint16_t kOrientation = 0x0112, kExifDirectory = 0x8769, kUserComment = 0x9286;
constexpr std::size_t kMostEntries = 512;

std::uint32_t bigEndian(std::string_view bytes, std::size_t at, std::size_t count)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::uint32_t littleEndian(std::string_view bytes, std::size_t at)
{
    return static_cast<unsigned char>(bytes[at]) |
           static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 1])) << 8 |
           static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 2])) << 16 |
           static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 3])) << 24;
}

/// The segment APP1, before the first scan.
std::string_view blockOfJpeg(std::string_view file)
{
    for (std::size_t at = 2; at + 4 <= file.size() && file[at] == '\xFF';) {
        const auto marker = static_cast<unsigned char>(file[at + 1]);
        if (marker == 0xFF) {
            ++at;
            continue;
        }
        if (marker == 0xD9 || marker == 0xDA) break;
        const std::size_t length = bigEndian(file, at + 2, 2);
        if (length < 2 || at + 2 + length > file.size()) break;
        const std::string_view body = file.substr(at + 4, length - 2);
        if (marker == 0xE1 && body.starts_with(kMark)) return body.substr(kMark.size());
        at += 2 + length;
    }
    return {};
}

std::string_view blockOfWebp(std::string_view file)
{
    for (std::size_t at = 12; at + 8 <= file.size();) {
        const std::size_t length = littleEndian(file, at + 4);
        if (length > file.size() - at - 8) break;
        std::string_view body = file.substr(at + 8, length);
        if (file.substr(at, 4) == "EXIF") {
            if (body.starts_with(kMark)) body.remove_prefix(kMark.size());
            return body;
        }
        at += 8 + length + length % 2;
    }
    return {};
}

std::string_view blockOfPng(std::string_view file)
{
    for (std::size_t at = 8; at + 12 <= file.size();) {
        const std::size_t length = bigEndian(file, at, 4);
        if (length > file.size() - at - 12) break;
        if (file.substr(at + 4, 4) == "eXIf") return file.substr(at + 8, length);
        at += 12 + length;
    }
    return {};
}

/// TIFF's directories.
class Directories {
public:
    explicit Directories(std::string_view block) : m_block(block), m_little(block.starts_with("II")) {}

    bool sound() const { return m_block.size() >= 8 && (m_little || m_block.starts_with("MM")) && number(2, 2) == 42; }
    std::uint32_t first() const { return number(4, 4); }

    /// Where the entry with this tag lies in the directory at `at`.
    std::optional<std::size_t> find(std::size_t at, std::uint16_t tag) const
    {
        if (at > m_block.size() || m_block.size() - at < 2) return std::nullopt;
        const std::size_t count = std::min<std::size_t>(number(at, 2), kMostEntries);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t entry = at + 2 + i * 12;
            if (entry + 12 > m_block.size()) break;
            if (number(entry, 2) == tag) return entry;
        }
        return std::nullopt;
    }
    std::uint32_t number(std::size_t at, std::size_t count) const
    {
        if (!m_little) return bigEndian(m_block, at, count);
        std::uint32_t value = 0;
        for (std::size_t i = count; i-- > 0;)
            value = value << 8 | static_cast<unsigned char>(m_block[at + i]);
        return value;
    }
    /// The bytes of an entry of single bytes.
    std::string_view bytes(std::size_t entry) const
    {
        const std::size_t count = number(entry + 4, 4);
        const std::size_t at = count <= 4 ? entry + 8 : number(entry + 8, 4);
        if (at > m_block.size() || count > m_block.size() - at) return {};
        return m_block.substr(at, count);
    }

private:
    std::string_view m_block;
    bool m_little;
};

/// UTF-16 of either order: nobody says which, so the one that has more of the letters with a zero before them counts.
std::string fromUtf16(std::string_view text)
{
    std::size_t before = 0, behind = 0;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        before += text[i] == '\0';
        behind += text[i + 1] == '\0';
    }
    const std::size_t high = behind > before ? 1 : 0;
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        const auto unit = [&](std::size_t at) {
            return static_cast<char32_t>(static_cast<unsigned char>(text[at + high])) << 8 |
                   static_cast<unsigned char>(text[at + 1 - high]);
        };
        char32_t point = unit(i);
        if (point >= 0xD800 && point < 0xDC00 && i + 3 < text.size()) {
            const char32_t low = unit(i + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        if (point >= 0xD800 && point < 0xE000) point = 0xFFFD;
        if (point != 0) appendUtf8(out, point);
    }
    return out;
}

std::string commentFrom(std::string_view bytes)
{
    constexpr std::size_t kCharset = 8;
    if (bytes.size() < kCharset || bytes.size() > kMaxExifComment) return {};
    const std::string_view charset = bytes.substr(0, kCharset), text = bytes.substr(kCharset);
    if (charset.starts_with("UNICODE")) return fromUtf16(text);
    const std::string plain(charset.starts_with("ASCII") || charset.front() == '\0' ? text : bytes);
    const std::string whole = plain.substr(0, plain.find('\0'));
    return isUtf8(whole) ? whole : std::string();
}

}  // namespace

Exif readExif(std::string_view file)
{
    std::string_view block;
    if (file.starts_with("\xFF\xD8\xFF")) block = blockOfJpeg(file);
    if (file.starts_with("RIFF") && file.size() >= 12 && file.substr(8, 4) == "WEBP") block = blockOfWebp(file);
    if (file.starts_with("\x89PNG")) block = blockOfPng(file);
    const Directories directories(block);
    Exif exif;
    if (!directories.sound()) return exif;
    const std::size_t first = directories.first();
    if (const auto entry = directories.find(first, kOrientation)) {
        const std::uint32_t said = directories.number(*entry + 8, 2);
        if (said >= 1 && said <= 8) exif.orientation = static_cast<int>(said);
    }
    if (const auto more = directories.find(first, kExifDirectory))
        if (const auto entry = directories.find(directories.number(*more + 8, 4), kUserComment))
            exif.comment = commentFrom(directories.bytes(*entry));
    return exif;
}

Image upright(Image image, int orientation)
{
    if (orientation <= 1 || orientation > 8) return image;
    const bool turned = orientation >= 5;
    Image made(turned ? image.height : image.width, turned ? image.width : image.height, image.channels);
    const bool mirrorX = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool mirrorY = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const auto channels = static_cast<std::size_t>(image.channels);
    for (int y = 0; y < made.height; ++y)
        for (int x = 0; x < made.width; ++x) {
            int fromX = turned ? y : x, fromY = turned ? x : y;
            if (mirrorX) fromX = image.width - 1 - fromX;
            if (mirrorY) fromY = image.height - 1 - fromY;
            std::memcpy(made.row(y) + static_cast<std::size_t>(x) * channels,
                        image.row(fromY) + static_cast<std::size_t>(fromX) * channels, channels);
        }
    return made;
}

}  // namespace sg
