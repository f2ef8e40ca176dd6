#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace sg {

/// CLIP's byte-pair vocabulary: 256 bytes, 256 bytes that end a word, one token per merge, two marks.
class ClipVocabulary {
public:
    static constexpr std::int32_t kStart = 49406;
    static constexpr std::int32_t kEnd = 49407;

    /// The one built into the program; parsed at the first call. Thread  any.
    static const ClipVocabulary &builtIn();

    /// `merges`: a heading, then a line "first second" per merge, best first.
    explicit ClipVocabulary(std::string_view merges);

    std::int32_t byteToken(unsigned char byte) const { return m_byteTokens[byte]; }
    std::int32_t lastByteToken(unsigned char byte) const { return m_byteTokens[byte] + 256; }
    /// The token that two neighbours merge into; the smaller its number, the earlier it is merged.
    std::optional<std::int32_t> merged(std::int32_t first, std::int32_t second) const;
    std::size_t mergeCount() const { return m_merges.size(); }

private:
    std::array<std::int32_t, 256> m_byteTokens{};
    std::unordered_map<std::uint64_t, std::int32_t> m_merges;
};

}  // namespace sg
