#include "core/text/text_cleaning.h"

#include "core/text/unicode.h"

#include <array>
#include <utility>

namespace sg {
namespace {

/// U+0080 … U+009F as Windows-1252 reads them; 0 where it has no character.
constexpr std::array<char16_t, 32> kWindows1252{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                                0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

constexpr std::array<std::pair<char32_t, std::u32string_view>, 22> kLigatures{{
    {0x132, U"IJ"},      {0x133, U"ij"},      {0x149, U"\u02BCn"},  {0x1F1, U"DZ"},  {0x1F2, U"Dz"},  {0x1F3, U"dz"},
    {0x1C4, U"D\u017D"}, {0x1C5, U"D\u017E"}, {0x1C6, U"d\u017E"},  {0x1C7, U"LJ"},  {0x1C8, U"Lj"},  {0x1C9, U"lj"},
    {0x1CA, U"NJ"},      {0x1CB, U"Nj"},      {0x1CC, U"nj"},       {0xFB00, U"ff"}, {0xFB01, U"fi"}, {0xFB02, U"fl"},
    {0xFB03, U"ffi"},    {0xFB04, U"ffl"},    {0xFB05, U"\u017Ft"}, {0xFB06, U"st"},
}};

bool isDropped(char32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F ||
           (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/// Length of a terminal's escape sequence at `at` (ESC [ digits and semicolons, letter); 0 when there is none.
std::size_t escapeLength(const std::u32string &text, std::size_t at)
{
    if (text[at] != 0x1B || at + 1 >= text.size() || text[at + 1] != '[') return 0;
    std::size_t end = at + 2;
    while (end < text.size() && (text[end] == ';' || (text[end] >= '0' && text[end] <= '9')))
        ++end;
    const bool letter = end < text.size() && text[end] < 0x80 && isLetter(text[end]);
    return letter ? end + 1 - at : 0;
}

void appendRepaired(std::u32string &out, char32_t c)
{
    if (c >= 0x80 && c <= 0x9F && kWindows1252[c - 0x80] != 0) c = kWindows1252[c - 0x80];
    for (const auto &[ligature, letters] : kLigatures)
        if (c == ligature) {
            for (const char32_t letter : letters)
                out.push_back(letter == 0x2BC ? U'\'' : letter);
            return;
        }
    if (c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEE)) {
        out += compatible(c);
    } else if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) {
        out.push_back(U'\'');
    } else if (c >= 0x201C && c <= 0x201F) {
        out.push_back(U'"');
    } else {
        out.push_back(c);
    }
}

std::u32string withoutControls(const std::u32string &text)
{
    std::u32string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        if (const std::size_t escape = escapeLength(text, i)) {
            i += escape;
            continue;
        }
        if (!isDropped(text[i])) out.push_back(text[i]);
        ++i;
    }
    return out;
}

std::u32string repaired(const std::u32string &text)
{
    std::u32string out;
    out.reserve(text.size());
    for (const char32_t c : text)
        appendRepaired(out, c);
    return composed(withoutControls(out));
}

std::u32string singleSpaced(const std::u32string &text)
{
    std::u32string out;
    out.reserve(text.size());
    for (const char32_t c : text) {
        if (!isSpace(c))
            out.push_back(c);
        else if (!out.empty() && out.back() != U' ')
            out.push_back(U' ');
    }
    if (!out.empty() && out.back() == U' ') out.pop_back();
    return out;
}

}  // namespace

std::u32string cleanText(std::string_view text)
{
    std::u32string current = decodeUtf8(text);
    // One repair can uncover another (an escape inside an escape); each round that changes anything but normal form
    // shortens the text or settles a character, and three have always been enough.
    for (int round = 0; round < 8; ++round) {
        std::u32string next = repaired(current);
        if (next == current) break;
        current = std::move(next);
    }
    return lowered(singleSpaced(current));
}

}  // namespace sg
