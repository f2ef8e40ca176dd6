#include "core/text/clip_vocabulary.h"

#include "core/text/unicode.h"

#include <cassert>
#include <string>

extern "C" {
extern const unsigned char sg_clip_merges[];
extern const unsigned char sg_clip_merges_end[];
}

namespace sg {
namespace {

constexpr std::int32_t kFirstMerge = 512;
constexpr std::size_t kMerges = 48894;

/// Bytes that the vocabulary's text shows as themselves; the others are shown as U+0100 and up.
bool isShownAsItself(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

std::uint64_t pairKey(std::int32_t first, std::int32_t second)
{
    return static_cast<std::uint64_t>(first) << 32 | static_cast<std::uint32_t>(second);
}

}  // namespace

ClipVocabulary::ClipVocabulary(std::string_view merges)
{
    std::unordered_map<std::string, std::int32_t> tokens;
    tokens.reserve(kFirstMerge + kMerges);
    m_merges.reserve(kMerges);
    // Numbers follow the order of the characters that stand for the bytes: first those shown as themselves, then the
    // rest.
    std::int32_t next = 0;
    char32_t stand = 0x100;
    for (const bool itself : {true, false})
        for (int byte = 0; byte < 256; ++byte) {
            if (isShownAsItself(byte) != itself) continue;
            std::string shown;
            appendUtf8(shown, itself ? static_cast<char32_t>(byte) : stand++);
            m_byteTokens[static_cast<std::size_t>(byte)] = next;
            tokens.emplace(shown, next);
            tokens.emplace(shown + "</w>", next + 256);
            ++next;
        }
    std::size_t line = merges.find('\n');
    for (std::size_t i = 0; i < kMerges && line != std::string_view::npos; ++i) {
        const std::size_t end = merges.find('\n', line + 1);
        const std::string_view text = merges.substr(line + 1, end == std::string_view::npos ? end : end - line - 1);
        line = end;
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos) break;
        const std::string first(text.substr(0, space));
        const std::string second(text.substr(space + 1));
        const auto a = tokens.find(first);
        const auto b = tokens.find(second);
        if (a == tokens.end() || b == tokens.end()) continue;
        const auto token = static_cast<std::int32_t>(kFirstMerge + i);
        m_merges.emplace(pairKey(a->second, b->second), token);
        tokens.emplace(first + second, token);
    }
}

const ClipVocabulary &ClipVocabulary::builtIn()
{
    static const ClipVocabulary vocabulary({reinterpret_cast<const char *>(sg_clip_merges),
                                            static_cast<std::size_t>(sg_clip_merges_end - sg_clip_merges)});
    assert(vocabulary.mergeCount() == kMerges);
    return vocabulary;
}

std::optional<std::int32_t> ClipVocabulary::merged(std::int32_t first, std::int32_t second) const
{
    const auto it = m_merges.find(pairKey(first, second));
    if (it == m_merges.end()) return std::nullopt;
    return it->second;
}

}  // namespace sg
