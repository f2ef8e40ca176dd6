#include "core/text/prompt_template.h"

#include "core/text/prompt.h"
#include "core/text/prompt_scan.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxChoices = 100'000;
constexpr std::size_t kMaxWork = 16 * 1024 * 1024;  // bytes read and options weighed
constexpr std::size_t kMaxName = 128;

/// Behind the tag <type:…> that begins at `at`; `at` itself where none does, or where it has variants in it.
std::size_t tagEnd(std::string_view text, std::size_t at)
{
    if (text[at] != '<') return at;
    const std::size_t stop = text.find_first_of("<>{}", at + 1);
    if (stop == std::string_view::npos || text[stop] != '>') return at;
    const std::size_t colon = text.find(':', at);
    return colon > at + 1 && colon < stop ? stop + 1 : at;
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers everywhere.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : m_state(seed) {}

    /// In [0, 1).
    double next()
    {
        std::uint64_t z = m_state += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
    }

private:
    std::uint64_t m_state;
};

bool isNameCharacter(char32_t c)
{
    return isWordCharacter(c) || c == U'-' || c == U'/' || c == U'.' || c == U'*';
}

/// The end of the name of a wildcard whose first two underscores are at `at`; 0 when it is none. `scanned` is as far
/// as was looked.
std::size_t nameEnd(std::string_view text, std::size_t at, std::size_t &scanned)
{
    std::size_t end = at + 2;
    scanned = at + 2;
    if (end >= text.size() || text[end] == '_') return 0;
    while (end < text.size()) {
        if (text.compare(end, 2, "__") == 0) {
            scanned = end;
            return end - at - 2 > kMaxName ? 0 : end;
        }
        const CodePoint c = codePointAt(text, end);
        if (!isNameCharacter(c.value)) break;
        end += c.bytes;
    }
    scanned = end;
    return 0;
}

/// Where each brace's partner is, where it has one.
std::vector<std::size_t> partners(std::string_view text)
{
    std::vector<std::size_t> partner(text.size(), kNone), open;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\')
            ++i;
        else if (text[i] == '{')
            open.push_back(i);
        else if (text[i] == '}' && !open.empty()) {
            partner[open.back()] = i;
            open.pop_back();
        }
    }
    return partner;
}

struct Option {
    std::size_t begin = 0, end = 0;
    double weight = 1;
};

struct Variant {
    std::size_t least = 1, most = 1;
    std::string separator = ",";
    std::vector<Option> options;
};

std::optional<std::size_t> wholeNumber(std::string_view text)
{
    std::size_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

/// "2", "1-2", "-2" or "2-" before $$; false when it is none of them.
bool readCount(std::string_view text, Variant &variant)
{
    text = trimmedText(text);
    const std::size_t dash = text.find('-');
    const std::optional<std::size_t> first = wholeNumber(text.substr(0, dash));
    if (dash == std::string_view::npos) {
        if (!first) return false;
        variant.least = variant.most = *first;
        return true;
    }
    const std::string_view last = text.substr(dash + 1);
    if ((dash > 0 && !first) || (!last.empty() && !wholeNumber(last)) || (dash == 0 && last.empty())) return false;
    variant.least = first.value_or(1);
    variant.most = last.empty() ? std::numeric_limits<std::size_t>::max() : *wholeNumber(last);
    if (variant.least > variant.most) std::swap(variant.least, variant.most);
    return true;
}

/// "0.5::" at the beginning of an option.
void takeWeight(std::string_view text, Option &option)
{
    option.begin = std::min(skipSpace(text.substr(0, option.end), option.begin), option.end);
    const std::string_view rest = text.substr(option.begin, option.end - option.begin);
    const std::size_t colons = rest.find("::");
    if (colons == std::string_view::npos || colons == 0) return;
    const std::string_view number = trimmedText(rest.substr(0, colons));
    if (number.empty() || number.find_first_not_of("0123456789.") != std::string_view::npos ||
        std::count(number.begin(), number.end(), '.') > 1 || number == ".")
        return;
    option.weight = decimal(number);
    option.begin += colons + 2;
}

class Resolver {
public:
    Resolver(std::uint64_t seed, WildcardSource *wildcards) : m_chance(seed), m_wildcards(wildcards) {}

    Expected<std::string> resolve(std::string_view text)
    {
        if (Expected<void> made = whole(text, 0); !made) return Unexpected{made.error()};
        if (m_out.size() > kMaxPromptBytes)
            return fail(ErrorCode::TooLarge,
                        "the prompt that the variants make has more than " + std::to_string(kMaxPromptBytes) + " bytes",
                        "prompt");
        return std::move(m_out);
    }

private:
    struct Template {
        std::string_view text;
        std::vector<std::size_t> partner;
        std::size_t depth = 0;
    };

    static Unexpected refuse(const std::string &what, const Template &where, std::size_t at)
    {
        return fail(ErrorCode::InvalidArgument, what + " " + placeOf(where.text, at), "prompt");
    }

    Expected<void> spend(std::size_t work)
    {
        m_work += work;
        if (m_work <= kMaxWork && m_out.size() <= kMaxPromptBytes) return {};
        return fail(ErrorCode::TooLarge, "the prompt's variants make more text than a prompt may have", "prompt");
    }

    Expected<void> whole(std::string_view text, std::size_t depth)
    {
        if (Expected<void> spent = spend(text.size()); !spent) return spent;
        const Template made{text, partners(text), depth};
        return append(made, 0, text.size(), depth);
    }

    // Recursion ends: depth counts braces and wildcards.
    Expected<void> append(const Template &from, std::size_t begin, std::size_t end, std::size_t depth)
    {
        if (Expected<void> spent = spend(end - begin); !spent) return spent;
        if (depth > kMaxDepth)
            return refuse("more than " + std::to_string(kMaxDepth) + " variants or wildcards lie inside each other",
                          from, begin);
        for (std::size_t at = begin; at < end;) {
            const char c = from.text[at];
            if (c == '{' && from.partner[at] != kNone && from.partner[at] < end) {
                if (Expected<void> made = variant(from, at, depth); !made) return made;
                at = from.partner[at] + 1;
                continue;
            }
            std::size_t next = at + 1;
            if (c == '\\') {
                next = std::min(at + 2, end);
            } else if (const std::size_t close = tagEnd(from.text.substr(0, end), at); close > at) {
                next = close;  // names of files may have two underscores
            } else if (from.text.compare(at, 2, "__") == 0) {
                if (const std::size_t stop = nameEnd(from.text.substr(0, end), at, next)) {
                    if (Expected<void> made = wildcard(from, at, from.text.substr(at + 2, stop - at - 2), depth); !made)
                        return made;
                    at = stop + 2;
                    continue;
                }
            } else {
                next = std::min(from.text.find_first_of("{\\_<", at + 1), end);
            }
            m_out += from.text.substr(at, next - at);
            at = next;
        }
        return {};
    }

    /// What stands between the braces at `open`.
    Variant read(const Template &from, std::size_t open) const
    {
        Variant variant;
        const std::size_t close = from.partner[open];
        std::size_t begin = open + 1;
        std::vector<std::size_t> bars, dollars;
        for (std::size_t at = begin; at < close; ++at) {
            if (from.text[at] == '\\')
                ++at;
            else if (from.text[at] == '{' && from.partner[at] != kNone)
                at = from.partner[at];
            else if (from.text[at] == '|')
                bars.push_back(at);
            else if (bars.empty() && from.text.compare(at, 2, "$$") == 0)
                dollars.push_back(at++);
        }
        if (!dollars.empty() && readCount(from.text.substr(begin, dollars[0] - begin), variant)) {
            begin = dollars[0] + 2;
            if (dollars.size() > 1) {
                variant.separator = from.text.substr(begin, dollars[1] - begin);
                begin = dollars[1] + 2;
            }
        }
        bars.push_back(close);
        for (const std::size_t bar : bars) {
            Option option{begin, bar, 1};
            takeWeight(from.text, option);
            variant.options.push_back(option);
            begin = bar + 1;
        }
        return variant;
    }

    Expected<void> variant(const Template &from, std::size_t open, std::size_t depth)
    {
        Variant made = read(from, open);
        const std::size_t most = std::min(made.most, made.options.size());
        const std::size_t least = std::min(made.least, most);
        std::size_t count = least;
        if (most > least)
            count += std::min(static_cast<std::size_t>(m_chance.next() * static_cast<double>(most - least + 1)),
                              most - least);
        for (std::size_t taken = 0; taken < count; ++taken) {
            const Expected<std::size_t> index = pick(made.options, from, open);
            if (!index) return Unexpected{index.error()};
            if (taken > 0) m_out += made.separator;
            const Option option = made.options[*index];
            if (Expected<void> done = append(from, option.begin, option.end, depth + 1); !done) return done;
            made.options.erase(made.options.begin() + static_cast<std::ptrdiff_t>(*index));
        }
        return {};
    }

    Expected<std::size_t> pick(const std::vector<Option> &options, const Template &from, std::size_t at)
    {
        if (++m_choices > kMaxChoices)
            return refuse("more than " + std::to_string(kMaxChoices) + " choices are made", from, at);
        if (Expected<void> spent = spend(options.size()); !spent) return Unexpected{spent.error()};
        double sum = 0;
        for (const Option &option : options)
            sum += option.weight;
        if (!(sum > 0) || sum > std::numeric_limits<double>::max())
            return refuse("the weights of the options have no usable sum", from, at);
        double left = m_chance.next() * sum;
        std::size_t last = 0;
        for (std::size_t i = 0; i < options.size(); ++i) {
            if (options[i].weight == 0) continue;
            last = i;
            left -= options[i].weight;
            if (left < 0) break;
        }
        return last;
    }

    Expected<void> wildcard(const Template &from, std::size_t at, std::string_view name, std::size_t depth)
    {
        if (!m_wildcards)
            return fail(ErrorCode::NotFound,
                        "there is no folder of wildcards for __" + std::string(name) + "__ " + placeOf(from.text, at),
                        "prompt");
        const Expected<const std::vector<std::string> *> lines = m_wildcards->lines(name);
        if (!lines) {
            Error error = lines.error();
            error.message =
                "the wildcard __" + std::string(name) + "__ " + placeOf(from.text, at) + ": " + error.message;
            error.subject = "prompt";
            return Unexpected{error};
        }
        std::vector<Option> options;
        for (const std::string &line : **lines) {
            Option option{0, line.size(), 1};
            takeWeight(line, option);
            options.push_back(option);
        }
        if (options.empty()) return refuse("the wildcard __" + std::string(name) + "__ has no lines, wanted", from, at);
        const Expected<std::size_t> index = pick(options, from, at);
        if (!index) return Unexpected{index.error()};
        const std::string &line = (**lines)[*index];
        if (depth >= kMaxDepth)
            return refuse("wildcards lie inside each other without end: __" + std::string(name) + "__", from, at);
        return whole(std::string_view(line).substr(options[*index].begin), depth + 1);
    }

    Chance m_chance;
    WildcardSource *m_wildcards;
    std::string m_out;
    std::size_t m_work = 0, m_choices = 0;
};

/// One pass: over comments that are lines of their own, which take the line end before them along unless the comment
/// before took it; or over all.
std::string withoutComments(std::string_view text, bool wholeLines)
{
    std::string out;
    std::size_t kept = 0;
    for (std::size_t hash = text.find('#'); hash != std::string_view::npos; hash = text.find('#', hash)) {
        const bool atStart = hash == 0 || (hash > kept && text[hash - 1] == '\n');
        if (wholeLines && !atStart) {
            ++hash;
            continue;
        }
        out += text.substr(kept, hash - kept - (wholeLines && hash > 0 ? 1 : 0));
        out += '\n';
        hash = kept = std::min(text.find('\n', hash), text.size() - 1) + 1;
    }
    return out.append(text.substr(kept));
}

}  // namespace

std::string stripComments(std::string_view text)
{
    return withoutComments(withoutComments(text, true), false);
}

bool hasVariants(std::string_view prompt)
{
    const std::string text = stripComments(prompt);
    const std::vector<std::size_t> partner = partners(text);
    for (std::size_t at = 0; at < text.size();) {
        std::size_t next = at + 1;
        if (text[at] == '\\')
            next = at + 2;
        else if (text[at] == '{' && partner[at] != kNone)
            return true;
        else if (text.compare(at, 2, "__") == 0 && nameEnd(text, at, next))
            return true;
        at = next;
    }
    return false;
}

Expected<std::string> resolvePrompt(std::string_view prompt, std::uint64_t seed, WildcardSource *wildcards)
{
    if (Expected<void> sound = checkPrompt(prompt); !sound) return Unexpected{sound.error()};
    return Resolver(seed, wildcards).resolve(stripComments(prompt));
}

}  // namespace sg
