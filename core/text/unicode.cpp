#include "core/text/unicode.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utf8proc.h>

namespace sg {
namespace {

utf8proc_category_t category(char32_t codePoint)
{
    return utf8proc_category(static_cast<utf8proc_int32_t>(codePoint));
}

bool isCased(char32_t codePoint)
{
    const utf8proc_category_t kind = category(codePoint);
    return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT;
}

bool isCaseIgnorable(char32_t codePoint)
{
    switch (codePoint) {
    case '\'':
    case '.':
    case ':':
    case 0xB7:
    case 0x2018:
    case 0x2019:
    case 0x2024:
    case 0x2027:
        return true;
    default:
        break;
    }
    const utf8proc_category_t kind = category(codePoint);
    return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
           kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK;
}

int combiningClass(char32_t codePoint)
{
    return utf8proc_get_property(static_cast<utf8proc_int32_t>(codePoint))->combining_class;
}

/// The same text to Unicode, with each run of combining marks in order: utf8proc orders them in quadratic time.
std::u32string marksOrdered(std::u32string text)
{
    const auto isMark = [](char32_t c) { return c >= 0x300 && combiningClass(c) != 0; };
    for (auto it = std::find_if(text.begin(), text.end(), isMark); it != text.end();) {
        const auto end = std::find_if_not(it, text.end(), isMark);
        std::stable_sort(it, end, [](char32_t a, char32_t b) { return combiningClass(a) < combiningClass(b); });
        it = std::find_if(end, text.end(), isMark);
    }
    return text;
}

constexpr char32_t kSigma = 0x3A3;

/// Whether the next character that is not ignorable is a letter with case.
bool casedFollows(const std::u32string &text, std::size_t after)
{
    for (std::size_t i = after + 1; i < text.size(); ++i)
        if (!isCaseIgnorable(text[i])) return isCased(text[i]);
    return false;
}

std::u32string mapped(const std::u32string &text, utf8proc_option_t options)
{
    const std::string bytes = encodeUtf8(text);
    utf8proc_uint8_t *raw = nullptr;
    const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(bytes.data()),
                                                 static_cast<utf8proc_ssize_t>(bytes.size()), &raw, options);
    const std::unique_ptr<utf8proc_uint8_t, void (*)(void *)> owner(raw, std::free);
    if (length < 0) return text;
    return decodeUtf8({reinterpret_cast<const char *>(raw), static_cast<std::size_t>(length)});
}

}  // namespace

bool isSpace(char32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isLetter(char32_t c)
{
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool isNumber(char32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

std::u32string composed(const std::u32string &text)
{
    return mapped(marksOrdered(text), static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
}

std::u32string compatible(char32_t codePoint)
{
    return mapped(std::u32string(1, codePoint),
                  static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
}

std::u32string lowered(const std::u32string &text)
{
    std::u32string out;
    out.reserve(text.size());
    bool afterCased = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char32_t c = text[i];
        if (c < 0x80) {
            out.push_back(c >= 'A' && c <= 'Z' ? c + 32 : c);
        } else if (c == 0x130) {
            out += U"i\u0307";
        } else if (c == kSigma) {
            out.push_back(afterCased && !casedFollows(text, i) ? 0x3C2 : 0x3C3);
        } else {
            out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
        }
        if (!isCaseIgnorable(c)) afterCased = isCased(c);
    }
    return out;
}

}  // namespace sg
