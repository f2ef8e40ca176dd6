#include "core/text/clip_tokenizer.h"

#include "core/text/clip_vocabulary.h"
#include "core/text/text_cleaning.h"
#include "core/text/unicode.h"

#include <array>
#include <queue>
#include <string>

namespace sg {
namespace {

using Tokens = std::vector<std::int32_t>;

/// A merge that can be made: `token` from the piece at `left` and the one after it.
struct Candidate {
    std::int32_t token;
    std::int32_t left;
    std::int32_t first;
    std::int32_t second;

    bool operator>(const Candidate &other) const
    {
        return token != other.token ? token > other.token : left > other.left;
    }
};

/// The pieces of one word, as a linked list over places.
class Word {
public:
    explicit Word(std::string_view bytes) : m_vocabulary(ClipVocabulary::builtIn())
    {
        const auto count = static_cast<std::int32_t>(bytes.size());
        for (std::int32_t i = 0; i < count; ++i) {
            const auto byte = static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
            const bool last = i + 1 == count;
            m_pieces.push_back(
                {last ? m_vocabulary.lastByteToken(byte) : m_vocabulary.byteToken(byte), i - 1, last ? -1 : i + 1});
        }
    }

    void appendTo(Tokens &out)
    {
        for (std::int32_t i = 0; i != -1; i = m_pieces[static_cast<std::size_t>(i)].next)
            offer(i);
        while (!m_queue.empty()) {
            const Candidate best = m_queue.top();
            m_queue.pop();
            if (stillThere(best)) merge(best);
        }
        for (std::int32_t i = 0; i != -1; i = at(i).next)
            out.push_back(at(i).token);
    }

private:
    struct Piece {
        std::int32_t token;  // -1 once it has become part of the piece before it
        std::int32_t previous;
        std::int32_t next;
    };

    Piece &at(std::int32_t place) { return m_pieces[static_cast<std::size_t>(place)]; }

    void offer(std::int32_t left)
    {
        const std::int32_t right = at(left).next;
        if (right == -1) return;
        if (const auto token = m_vocabulary.merged(at(left).token, at(right).token))
            m_queue.push({*token, left, at(left).token, at(right).token});
    }

    bool stillThere(const Candidate &candidate)
    {
        const Piece &left = at(candidate.left);
        return candidate.first == left.token && left.next != -1 && candidate.second == at(left.next).token;
    }

    void merge(const Candidate &candidate)
    {
        Piece &left = at(candidate.left);
        Piece &right = at(left.next);
        left.token = candidate.token;
        left.next = right.next;
        right.token = -1;
        if (left.next != -1) at(left.next).previous = candidate.left;
        offer(candidate.left);
        if (left.previous != -1) offer(left.previous);
    }

    const ClipVocabulary &m_vocabulary;
    std::vector<Piece> m_pieces;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> m_queue;
};

bool isOther(char32_t c)
{
    return !isSpace(c) && !isLetter(c) && !isNumber(c);
}

/// Length of 's, 't, 're, 've, 'm, 'll or 'd at `at`. The long s counts as s, as it does for a matcher that ignores
/// case.
std::size_t contractionLength(std::u32string_view text, std::size_t at)
{
    if (text[at] != U'\'' || at + 1 >= text.size()) return 0;
    for (const std::u32string_view ending : {U"s", U"\u017F", U"t", U"re", U"ve", U"m", U"ll", U"d"})
        if (text.substr(at + 1).starts_with(ending)) return 1 + ending.size();
    return 0;
}

/// End of the word that begins at `at`: a contraction, a run of letters, one digit, or a run of anything else but
/// space.
std::size_t wordEnd(std::u32string_view text, std::size_t at)
{
    if (const std::size_t length = contractionLength(text, at)) return at + length;
    if (isNumber(text[at])) return at + 1;
    const auto sameKind = isLetter(text[at]) ? isLetter : isOther;
    std::size_t end = at + 1;
    while (end < text.size() && sameKind(text[end]))
        ++end;
    return end;
}

void appendWords(std::u32string_view text, Tokens &out)
{
    for (std::size_t at = 0; at < text.size();) {
        if (isSpace(text[at])) {
            ++at;
            continue;
        }
        const std::size_t end = wordEnd(text, at);
        Word(encodeUtf8(text.substr(at, end - at))).appendTo(out);
        at = end;
    }
}

struct Mark {
    std::u32string_view text;
    std::int32_t token;
};
constexpr std::array<Mark, 2> kMarks{
    {{U"<|startoftext|>", ClipVocabulary::kStart}, {U"<|endoftext|>", ClipVocabulary::kEnd}}};

}  // namespace

std::vector<std::int32_t> clipTokens(std::string_view text)
{
    const std::u32string cleaned = cleanText(text);
    Tokens out;
    std::u32string_view rest = cleaned;
    for (std::size_t at = rest.find(U"<|"); at != std::u32string_view::npos; at = rest.find(U"<|", at)) {
        const Mark *found = nullptr;
        for (const Mark &mark : kMarks)
            if (rest.substr(at).starts_with(mark.text)) found = &mark;
        if (!found) {
            ++at;
            continue;
        }
        appendWords(rest.substr(0, at), out);
        out.push_back(found->token);
        rest.remove_prefix(at + found->text.size());
        at = 0;
    }
    appendWords(rest, out);
    return out;
}

}  // namespace sg
