#include "core/text/prompt_scan.h"

#include "core/text/prompt.h"
#include "core/text/unicode.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace sg {

CodePoint codePointAt(std::string_view text, std::size_t at)
{
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) return {first, 1};
    const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    return {decodeUtf8(text.substr(at, bytes)).front(), bytes};
}

std::size_t previousStart(std::string_view text, std::size_t at)
{
    do
        --at;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    return at;
}

bool isWordCharacter(char32_t c)
{
    return c == U'_' || isLetter(c) || isNumber(c);
}

bool isBlankCharacter(char32_t c)
{
    return isSpace(c) || (c >= 0x1C && c <= 0x1F);
}

std::size_t skipSpace(std::string_view text, std::size_t at)
{
    while (at < text.size()) {
        const CodePoint c = codePointAt(text, at);
        if (!isBlankCharacter(c.value)) break;
        at += c.bytes;
    }
    return at;
}

std::string_view trimmedText(std::string_view text)
{
    text.remove_prefix(skipSpace(text, 0));
    while (!text.empty()) {
        const std::size_t last = previousStart(text, text.size());
        if (!isBlankCharacter(codePointAt(text, last).value)) break;
        text.remove_suffix(text.size() - last);
    }
    return text;
}

bool standsAlone(std::string_view text, std::size_t begin, std::size_t end)
{
    if (begin > 0 && isWordCharacter(codePointAt(text, previousStart(text, begin)).value)) return false;
    return end >= text.size() || !isWordCharacter(codePointAt(text, end).value);
}

double decimal(std::string_view number)
{
    const bool negative = !number.empty() && number.front() == '-';
    if (negative || (!number.empty() && number.front() == '+')) number.remove_prefix(1);
    double value = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    if (result.ec == std::errc::result_out_of_range) {
        // from_chars does not say on which side: a large one has digits before its dot or a positive exponent.
        const std::size_t exponent = number.find_first_of("eE");
        const std::string_view digits = number.substr(0, exponent);
        const bool large = exponent == std::string_view::npos
                               ? digits.substr(0, digits.find('.')).find_first_not_of('0') != std::string_view::npos
                               : number.substr(exponent + 1, 1) != "-";
        value = large && digits.find_first_not_of("0.") != std::string_view::npos
                    ? std::numeric_limits<double>::infinity()
                    : 0;
    }
    return negative ? -value : value;
}

std::string placeOf(std::string_view text, std::size_t at)
{
    const std::string_view before = text.substr(0, std::min(at, text.size()));
    const auto characters = std::count_if(before.begin(), before.end(),
                                          [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    return "at character " + std::to_string(characters + 1);
}

Expected<void> checkPrompt(std::string_view prompt)
{
    if (prompt.size() > kMaxPromptBytes)
        return fail(ErrorCode::TooLarge,
                    "the prompt has " + std::to_string(prompt.size()) + " bytes; at most " +
                        std::to_string(kMaxPromptBytes) + " are allowed",
                    "prompt");
    if (!isUtf8(prompt)) return fail(ErrorCode::InvalidArgument, "the prompt is not valid UTF-8", "prompt");
    return {};
}

}  // namespace sg
