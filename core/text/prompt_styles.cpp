#include "core/text/prompt_styles.h"

#include "core/base/utf8.h"
#include "core/text/prompt.h"
#include "core/text/prompt_scan.h"

#include <algorithm>
#include <array>

namespace sg {
namespace {

constexpr std::size_t kMaxColumns = 64;

using Row = std::vector<std::string>;

class CsvReader {
public:
    explicit CsvReader(std::string_view text) : m_text(text) {}

    bool atEnd() const { return m_at >= m_text.size(); }
    std::size_t line() const { return m_line; }

    Expected<Row> row()
    {
        Row row;
        do {
            Expected<std::string> made = field();
            if (!made) return Unexpected{made.error()};
            row.push_back(std::move(*made));
        } while (take(','));
        take('\r');
        take('\n');
        return row;
    }

private:
    bool take(char c)
    {
        if (atEnd() || m_text[m_at] != c) return false;
        m_line += c == '\n';
        ++m_at;
        return true;
    }

    Expected<std::string> field()
    {
        std::string out;
        if (take('"')) {
            const std::size_t began = m_line;
            for (;;) {
                if (atEnd())
                    return fail(ErrorCode::UnusableFile,
                                "styles.csv: the quote of line " + std::to_string(began) + " does not end",
                                "styles.csv");
                if (take('"')) {
                    if (!take('"')) break;
                    out += '"';
                    continue;
                }
                const char c = m_text[m_at];
                take(c);
                out += c;
            }
        }
        const std::size_t end = std::min(m_text.find_first_of(",\r\n", m_at), m_text.size());
        out += m_text.substr(m_at, end - m_at);
        m_at = end;
        return out;
    }

    std::string_view m_text;
    std::size_t m_at = 0;
    std::size_t m_line = 1;
};

}  // namespace

Expected<std::vector<PromptStyle>> parseStyles(std::string_view csv)
{
    if (csv.size() > kMaxStylesFile) return fail(ErrorCode::TooLarge, "styles.csv may have 4 MiB", "styles.csv");
    if (!isUtf8(csv)) return fail(ErrorCode::UnusableFile, "styles.csv is not valid UTF-8", "styles.csv");
    if (csv.starts_with("\xEF\xBB\xBF")) csv.remove_prefix(3);
    CsvReader reader(csv);
    const Expected<Row> heading = reader.row();
    if (!heading) return Unexpected{heading.error()};
    const auto column = [&](std::string_view name) {
        return static_cast<std::size_t>(std::find(heading->begin(), heading->end(), name) - heading->begin());
    };
    const std::size_t name = column("name"), negative = column("negative_prompt");
    const std::size_t prompt = column("prompt") < heading->size() ? column("prompt") : column("text");
    if (name == heading->size() || prompt == heading->size())
        return fail(ErrorCode::UnusableFile, "styles.csv: line 1 must name the columns name, prompt, negative_prompt",
                    "styles.csv");
    if (heading->size() > kMaxColumns)
        return fail(ErrorCode::UnusableFile,
                    "styles.csv: line 1 has more than " + std::to_string(kMaxColumns) + " columns", "styles.csv");
    std::vector<PromptStyle> styles;
    while (!reader.atEnd()) {
        Expected<Row> row = reader.row();
        if (!row) return Unexpected{row.error()};
        row->resize(std::max(row->size(), heading->size()));
        PromptStyle style{(*row)[name], (*row)[prompt], negative < heading->size() ? (*row)[negative] : std::string()};
        if (!trimmedText(style.name).empty()) styles.push_back(std::move(style));
    }
    return styles;
}

Expected<std::string> withStyle(std::string_view style, std::string_view prompt)
{
    constexpr std::string_view kPlace = "{prompt}";
    std::string out;
    std::size_t found = style.find(kPlace);
    if (found == std::string_view::npos) {
        const std::string_view behind = trimmedText(style);
        out = trimmedText(prompt);
        if (!out.empty() && !behind.empty()) out += ", ";
        out += behind;
    } else {
        std::size_t kept = 0;
        for (; found != std::string_view::npos && out.size() <= kMaxPromptBytes; found = style.find(kPlace, kept)) {
            out += style.substr(kept, found - kept);
            out += prompt;
            kept = found + kPlace.size();
        }
        out += style.substr(kept);
    }
    if (out.size() > kMaxPromptBytes)
        return fail(ErrorCode::TooLarge,
                    "the prompt with its styles has more than " + std::to_string(kMaxPromptBytes) + " bytes", "styles");
    return out;
}

std::vector<std::string> styleNames(std::string_view field)
{
    const char separator = field.find('\n') == std::string_view::npos ? ',' : '\n';
    std::vector<std::string> names;
    for (std::size_t at = 0; at <= field.size();) {
        const std::size_t end = std::min(field.find(separator, at), field.size());
        const std::string_view name = trimmedText(field.substr(at, end - at));
        if (!name.empty()) names.emplace_back(name);
        at = end + 1;
    }
    return names;
}

}  // namespace sg
