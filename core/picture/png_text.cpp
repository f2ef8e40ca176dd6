#include "core/picture/png_text.h"

#include "core/base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <zlib.h>

namespace sg {
namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
constexpr std::size_t kMaxKeyword = 79;

std::uint32_t readNumber(std::string_view bytes)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void appendNumber(std::string &out, std::uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(value >> shift & 0xff));
}

std::uint32_t checkSum(std::string_view bytes)
{
    return static_cast<std::uint32_t>(
        ::crc32(0, reinterpret_cast<const Bytef *>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::string fromLatin1(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            out.push_back(c);
        } else {
            out.push_back(static_cast<char>(0xC0 | byte >> 6));
            out.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
        }
    }
    return out;
}

/// Nothing when the text holds a character above U+00FF.
std::optional<std::string> toLatin1(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x80) {
            out.push_back(text[i]);
            continue;
        }
        if ((byte != 0xC2 && byte != 0xC3) || i + 1 == text.size()) return std::nullopt;
        const auto next = static_cast<unsigned char>(text[++i]);
        if ((next & 0xC0) != 0x80) return std::nullopt;
        out.push_back(static_cast<char>((byte & 0x03) << 6 | (next & 0x3F)));
    }
    return out;
}

/// Unpacks at most `budget` bytes, which it takes off it; nothing when there are more or the data is damaged.
std::optional<std::string> unpacked(std::string_view packed, std::size_t &budget)
{
    z_stream stream{};
    if (::inflateInit(&stream) != Z_OK) return std::nullopt;
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    std::array<char, 16384> block{};
    int state = Z_OK;
    while (state == Z_OK && out.size() <= budget) {
        stream.next_out = reinterpret_cast<Bytef *>(block.data());
        stream.avail_out = static_cast<uInt>(block.size());
        state = ::inflate(&stream, Z_NO_FLUSH);
        out.append(block.data(), block.size() - stream.avail_out);
    }
    ::inflateEnd(&stream);
    const bool whole = state == Z_STREAM_END && out.size() <= budget;
    budget -= std::min(budget, out.size());
    if (!whole) return std::nullopt;
    return out;
}

/// A text as it stands; nothing, at no cost, when it is longer than `budget`.
std::optional<std::string> plain(std::string_view text, std::size_t &budget)
{
    if (text.size() > budget) return std::nullopt;
    budget -= text.size();
    return std::string(text);
}

/// Cuts what lies before the next zero byte off the front of `data`.
std::optional<std::string_view> field(std::string_view &data)
{
    const std::size_t zero = data.find('\0');
    if (zero == std::string_view::npos) return std::nullopt;
    const std::string_view cut = data.substr(0, zero);
    data.remove_prefix(zero + 1);
    return cut;
}

/// iTXt after the keyword: packed or not, method, language, translated keyword, UTF-8.
std::optional<std::string> internationalText(std::string_view data, std::size_t &budget)
{
    if (data.size() < 2 || data[1] != 0) return std::nullopt;
    const bool packed = data[0] == 1;
    data.remove_prefix(2);
    if (!field(data) || !field(data)) return std::nullopt;
    if (packed) return unpacked(data, budget);
    return plain(data, budget);
}

std::optional<TextChunk> readText(std::string_view type, std::string_view data, std::size_t &budget)
{
    const std::optional<std::string_view> keyword = field(data);
    if (!keyword || keyword->empty() || keyword->size() > kMaxKeyword) return std::nullopt;
    std::optional<std::string> text;
    if (type == "iTXt")
        text = internationalText(data, budget);
    else if (type == "tEXt")
        text = plain(data, budget);
    else if (!data.empty() && data[0] == 0)
        text = unpacked(data.substr(1), budget);
    if (!text) return std::nullopt;
    if (type != "iTXt") {
        std::string longer = fromLatin1(*text);
        const std::size_t more = longer.size() - text->size();
        if (more > budget) return std::nullopt;
        budget -= more;
        text = std::move(longer);
    } else if (!isUtf8(*text)) {
        return std::nullopt;
    }
    return TextChunk{fromLatin1(*keyword), std::move(*text)};
}

}  // namespace

Expected<std::vector<TextChunk>> readPngTexts(std::string_view png)
{
    if (!png.starts_with(kSignature)) return fail(ErrorCode::UnusableFile, "is no PNG picture");
    std::vector<TextChunk> texts;
    std::size_t budget = kMaxPngText;  // of all texts: a small file may hold hundreds of large ones, packed
    std::string_view rest = png.substr(kSignature.size());
    while (rest.size() >= 12 && texts.size() < kMaxPngTexts && budget > 0) {
        const std::size_t length = readNumber(rest);
        if (length > rest.size() - 12) break;
        const std::string_view type = rest.substr(4, 4);
        const bool isText = type == "tEXt" || type == "zTXt" || type == "iTXt";
        if (isText && readNumber(rest.substr(8 + length)) == checkSum(rest.substr(4, 4 + length)))
            if (std::optional<TextChunk> text = readText(type, rest.substr(8, length), budget))
                texts.push_back(std::move(*text));
        if (type == "IEND") break;
        rest.remove_prefix(12 + length);
    }
    return texts;
}

std::string pngTextChunk(const TextChunk &text)
{
    const std::optional<std::string> keyword = toLatin1(text.keyword);
    const auto printable = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte >= 0x20 && byte <= 0x7E) || byte >= 0xA1;
    };
    if (!keyword || keyword->empty() || keyword->size() > kMaxKeyword ||
        !std::all_of(keyword->begin(), keyword->end(), printable) || text.text.find('\0') != std::string::npos)
        return {};
    const std::optional<std::string> latin = toLatin1(text.text);
    std::string body = latin ? "tEXt" : "iTXt";
    body += *keyword;
    body.push_back('\0');
    if (!latin) body.append(4, '\0');  // not packed, method 0, no language, no translated keyword
    body += latin ? *latin : text.text;
    std::string chunk;
    appendNumber(chunk, static_cast<std::uint32_t>(body.size() - 4));
    chunk += body;
    appendNumber(chunk, checkSum(body));
    return chunk;
}

}  // namespace sg
