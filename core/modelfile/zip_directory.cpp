#include "core/modelfile/zip_directory.h"

#include "core/modelfile/refusal.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace sg {
namespace {

constexpr std::uint32_t kLocalMagic = 0x04034b50;
constexpr std::uint32_t kCentralMagic = 0x02014b50;
constexpr std::uint32_t kEndMagic = 0x06054b50;
constexpr std::uint32_t kEnd64Magic = 0x06064b50;
constexpr std::uint32_t kLocatorMagic = 0x07064b50;
constexpr std::uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr std::uint64_t kMaxComment = 65'535;
constexpr std::uint64_t kMostEntries = 100'000;
constexpr std::uint64_t kMaxDirectory = 32u << 20;
constexpr std::size_t kMaxEntryName = 512;
constexpr std::uint16_t kHasDescriptor = 1u << 3, kIsUtf8 = 1u << 11;
constexpr std::uint16_t kZip64Field = 1;

Unexpected refuseArchive(std::string rule)
{
    return fail(ErrorCode::UnusableFile, "zip archive: " + std::move(rule));
}

/// Little-endian numbers out of a text whose length has been checked.
class Reader {
public:
    explicit Reader(std::string_view bytes) : m_bytes(bytes) {}
    template <class Number>
    Number at(std::size_t offset) const
    {
        Number value = 0;
        for (std::size_t i = sizeof(Number); i-- > 0;)
            value = static_cast<Number>(static_cast<std::uint64_t>(value) << 8 |
                                        static_cast<unsigned char>(m_bytes[offset + i]));
        return value;
    }
    std::uint16_t u16(std::size_t offset) const { return at<std::uint16_t>(offset); }
    std::uint32_t u32(std::size_t offset) const { return at<std::uint32_t>(offset); }
    std::uint64_t u64(std::size_t offset) const { return at<std::uint64_t>(offset); }

private:
    std::string_view m_bytes;
};

/// Where the central directory lies.
struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t entries = 0;
    std::uint64_t end = 0;  ///< where the parts behind the directory begin
};

/// The last record of the archive; it must end with the file.
Expected<std::uint64_t> findEnd(const ByteSource &source)
{
    if (source.size() < kEndSize) return refuseArchive("shorter than its smallest part");
    const std::uint64_t length = std::min(source.size(), kEndSize + kMaxComment);
    const std::uint64_t start = source.size() - length;
    const Expected<std::string> tail = source.text(start, length);
    if (!tail) return Unexpected{tail.error()};
    const Reader bytes(*tail);
    std::optional<std::uint64_t> found;
    for (std::uint64_t at = length - kEndSize + 1; at-- > 0 && !found;)
        if (bytes.u32(at) == kEndMagic) found = at;
    if (!found) return refuseArchive("has no end record: the file is cut off");
    if (*found + kEndSize + bytes.u16(*found + 20) != length) return refuseArchive("bytes follow its end record");
    return start + *found;
}

/// The 64-bit end record, when there is one: its numbers must not contradict the short ones.
Expected<void> readEnd64(const ByteSource &source, std::uint64_t end, Directory &directory)
{
    if (end < kLocatorSize + kEnd64Size) return {};
    const Expected<std::string> text = source.text(end - kLocatorSize, kLocatorSize);
    if (!text) return Unexpected{text.error()};
    const Reader locator(*text);
    if (locator.u32(0) != kLocatorMagic) return {};
    const std::uint64_t at = locator.u64(8);
    if (locator.u32(4) != 0 || locator.u32(16) > 1) return refuseArchive("spans several disks");
    if (at != end - kLocatorSize - kEnd64Size) return refuseArchive("its zip64 record is not where its locator says");
    const Expected<std::string> record = source.text(at, kEnd64Size);
    if (!record) return Unexpected{record.error()};
    const Reader bytes(*record);
    if (bytes.u32(0) != kEnd64Magic || bytes.u64(4) != kEnd64Size - 12)
        return refuseArchive("its zip64 record is malformed");
    const auto agree = [](std::uint64_t small, std::uint64_t limit, std::uint64_t large) {
        return small == limit || small == large;
    };
    if (bytes.u64(24) != bytes.u64(32) || !agree(directory.entries, 0xffff, bytes.u64(32)) ||
        !agree(directory.size, 0xffffffff, bytes.u64(40)) || !agree(directory.offset, 0xffffffff, bytes.u64(48)))
        return refuseArchive("its zip64 record contradicts its end record");
    directory = {bytes.u64(48), bytes.u64(40), bytes.u64(32), at};
    return {};
}

Expected<Directory> findDirectory(const ByteSource &source)
{
    const Expected<std::uint64_t> end = findEnd(source);
    if (!end) return Unexpected{end.error()};
    const Expected<std::string> text = source.text(*end, kEndSize);
    if (!text) return Unexpected{text.error()};
    const Reader bytes(*text);
    if ((bytes.u16(4) != 0 && bytes.u16(4) != 0xffff) || bytes.u16(8) != bytes.u16(10))
        return refuseArchive("spans several disks");
    Directory directory{bytes.u32(16), bytes.u32(12), bytes.u16(10), *end};
    if (const Expected<void> read = readEnd64(source, *end, directory); !read) return Unexpected{read.error()};
    if (directory.entries > kMostEntries)
        return refuseArchive("more than " + std::to_string(kMostEntries) + " entries");
    if (directory.size > kMaxDirectory) return refuseArchive("its directory is longer than 32 MiB");
    if (directory.offset > directory.end || directory.size != directory.end - directory.offset)
        return refuseArchive("its directory is not where its end record says");
    return directory;
}

/// Values of the zip64 extra field stand for the 32-bit ones that are all ones, in this order.
Expected<void> readZip64(std::string_view extra, std::array<std::pair<std::uint64_t *, bool>, 3> wanted)
{
    const bool any = wanted[0].second || wanted[1].second || wanted[2].second;
    const Reader bytes(extra);
    for (std::size_t at = 0; at + 4 <= extra.size();) {
        const std::size_t size = bytes.u16(at + 2);
        if (size > extra.size() - at - 4) break;
        if (bytes.u16(at) == kZip64Field) {
            std::size_t place = at + 4;
            for (const auto &[value, needed] : wanted) {
                if (!needed) continue;
                if (place + 8 > at + 4 + size) return refuseArchive("a zip64 field is too short");
                *value = bytes.u64(place);
                place += 8;
            }
            return {};
        }
        at += 4 + size;
    }
    if (any) return refuseArchive("a zip64 field is missing");
    return {};
}

Expected<void> checkName(const std::string &name)
{
    if (name.empty() || name.size() > kMaxEntryName) return refuseArchive("an entry's name is empty or too long");
    for (const char c : name)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\' || c == ':')
            return refuseArchive("entry " + shown(name) + ": a character that no name may hold");
    for (std::size_t at = 0; at <= name.size();) {
        const std::size_t end = std::min(name.find('/', at), name.size());
        const std::string_view part = std::string_view(name).substr(at, end - at);
        if (part.empty() || part == "." || part == "..")
            return refuseArchive("entry " + shown(name) + ": its name leads out of the archive or is a folder");
        at = end + 1;
    }
    return {};
}

struct Central {
    ZipEntry entry;  ///< offset: of the local header
    std::uint16_t flags = 0;
};

Expected<Central> readCentral(std::string_view record, std::string_view name, std::string_view extra)
{
    const Reader bytes(record);
    Central central{{std::string(name), bytes.u32(42), bytes.u32(24), bytes.u32(16)}, bytes.u16(8)};
    if (const Expected<void> checked = checkName(central.entry.name); !checked) return Unexpected{checked.error()};
    const std::string where = "entry " + shown(name) + ": ";
    if (bytes.u16(10) != 0)
        return refuseArchive(where + "is compressed (method " + std::to_string(bytes.u16(10)) +
                             "); only stored is allowed");
    if ((central.flags & ~(kHasDescriptor | kIsUtf8)) != 0)
        return refuseArchive(where + "is encrypted or has unknown flags");
    if (bytes.u16(34) != 0) return refuseArchive(where + "lies on another disk");
    std::uint64_t packed = bytes.u32(20);
    const auto tooLarge = [](std::uint64_t value) { return value == 0xffffffff; };
    const Expected<void> large = readZip64(extra, {{{&central.entry.size, tooLarge(central.entry.size)},
                                                    {&packed, tooLarge(packed)},
                                                    {&central.entry.offset, tooLarge(central.entry.offset)}}});
    if (!large) return Unexpected{large.error()};
    if (packed != central.entry.size) return refuseArchive(where + "stored, yet its two sizes differ");
    return central;
}

/// Moves the entry's offset from its local header to its bytes.
Expected<void> checkLocal(const ByteSource &source, Central &central)
{
    ZipEntry &entry = central.entry;
    const std::string where = "entry " + shown(entry.name) + ": ";
    const Expected<std::string> text = source.text(entry.offset, kLocalSize);
    if (!text) return refuseArchive(where + "its local header lies beyond the end of the file");
    const Reader bytes(*text);
    if (bytes.u32(0) != kLocalMagic) return refuseArchive(where + "no local header where the directory says");
    const std::uint64_t named = bytes.u16(26), extra = bytes.u16(28);
    if (named != entry.name.size()) return refuseArchive(where + "its local header has another name");
    const Expected<std::string> more = source.text(entry.offset + kLocalSize, named + extra);
    if (!more) return refuseArchive(where + "its local header lies beyond the end of the file");
    if (!more->starts_with(entry.name)) return refuseArchive(where + "its local header has another name");
    if (bytes.u16(6) != central.flags || bytes.u16(8) != 0)
        return refuseArchive(where + "its local header has other flags or another method than the directory");
    std::uint64_t packed = bytes.u32(18), size = bytes.u32(22);
    const bool later = (central.flags & kHasDescriptor) != 0 && packed == 0 && size == 0;
    if (!later) {
        const Expected<void> large =
            readZip64(std::string_view(*more).substr(named),
                      {{{&size, size == 0xffffffff}, {&packed, packed == 0xffffffff}, {nullptr, false}}});
        if (!large) return large;
        if (size != entry.size || packed != entry.size || bytes.u32(14) != entry.crc32)
            return refuseArchive(where + "its local header has another size or checksum than the directory");
    }
    entry.offset += kLocalSize + named + extra;
    return {};
}

/// Entries lie one after the other in front of the directory, none upon another.
Expected<void> checkPlaces(const std::vector<std::pair<std::uint64_t, const ZipEntry *>> &headers, std::uint64_t end)
{
    std::uint64_t at = 0;
    for (const auto &[header, entry] : headers) {
        if (header < at) return refuseArchive("entry " + shown(entry->name) + ": overlaps the entry before it");
        if (at == 0 && header != 0) return refuseArchive("bytes lie before its first entry");
        if (entry->offset > end || entry->size > end - entry->offset)
            return refuseArchive("entry " + shown(entry->name) + ": " + std::to_string(entry->size) +
                                 " bytes reach beyond the entries' part of the file");
        at = entry->offset + entry->size;
    }
    return {};
}

}  // namespace

Expected<std::vector<ZipEntry>> readZipDirectory(const ByteSource &source)
{
    const Expected<Directory> directory = findDirectory(source);
    if (!directory) return Unexpected{directory.error()};
    const Expected<std::string> text = source.text(directory->offset, directory->size);
    if (!text) return Unexpected{text.error()};
    std::vector<ZipEntry> entries;
    std::vector<std::pair<std::uint64_t, std::size_t>> order;
    std::set<std::string, std::less<>> names;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < directory->entries; ++i) {
        if (text->size() - at < kCentralSize) return refuseArchive("its directory ends too soon");
        const std::string_view record = std::string_view(*text).substr(at, kCentralSize);
        const Reader bytes(record);
        if (bytes.u32(0) != kCentralMagic) return refuseArchive("its directory is malformed");
        const std::size_t named = bytes.u16(28), extra = bytes.u16(30), comment = bytes.u16(32);
        if (text->size() - at - kCentralSize < named + extra + comment)
            return refuseArchive("its directory ends too soon");
        const std::string_view rest = std::string_view(*text).substr(at + kCentralSize, named + extra);
        Expected<Central> central = readCentral(record, rest.substr(0, named), rest.substr(named));
        if (!central) return Unexpected{central.error()};
        if (!names.insert(central->entry.name).second)
            return refuseArchive("entry " + shown(central->entry.name) + ": its name comes twice");
        order.emplace_back(central->entry.offset, entries.size());
        if (const Expected<void> local = checkLocal(source, *central); !local) return Unexpected{local.error()};
        entries.push_back(std::move(central->entry));
        at += kCentralSize + named + extra + comment;
    }
    if (at != text->size()) return refuseArchive("bytes in its directory belong to no entry");
    std::sort(order.begin(), order.end());
    std::vector<std::pair<std::uint64_t, const ZipEntry *>> headers;
    for (const auto &[header, index] : order)
        headers.emplace_back(header, &entries[index]);
    if (const Expected<void> checked = checkPlaces(headers, directory->offset); !checked)
        return Unexpected{checked.error()};
    return entries;
}

std::uint32_t zipChecksum(std::string_view bytes)
{
    static const std::array<std::uint32_t, 256> kTable = [] {
        std::array<std::uint32_t, 256> table{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = value & 1 ? 0xedb88320u ^ value >> 1 : value >> 1;
            table[i] = value;
        }
        return table;
    }();
    std::uint32_t sum = 0xffffffffu;
    for (const char c : bytes)
        sum = kTable[(sum ^ static_cast<unsigned char>(c)) & 0xff] ^ sum >> 8;
    return ~sum;
}

}  // namespace sg
