#include "core/picture/infotext.h"

#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/params/samplers.h"
#include "core/picture/exif.h"
#include "core/picture/infotext_unread.h"
#include "core/picture/infotext_versions.h"
#include "core/picture/png_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace sg {
namespace {

constexpr std::string_view kNegative = "Negative prompt:";

/// A1111's order of the keys that have a fixed place.
constexpr std::array<std::string_view, 26> kFixedKeys{"Steps",
                                                      "Sampler",
                                                      "Schedule type",
                                                      "CFG scale",
                                                      "Image CFG scale",
                                                      "Seed",
                                                      "Face restoration",
                                                      "Size",
                                                      "Model hash",
                                                      "Model",
                                                      "FP8 weight",
                                                      "Cache FP16 weight for LoRA",
                                                      "VAE hash",
                                                      "VAE",
                                                      "Variation seed",
                                                      "Variation seed strength",
                                                      "Seed resize from",
                                                      "Denoising strength",
                                                      "Conditional mask weight",
                                                      "Clip skip",
                                                      "ENSD",
                                                      "Token merging ratio",
                                                      "Token merging ratio hr",
                                                      "Init image hash",
                                                      "RNG",
                                                      "Tiling"};

std::string valueText(const ParamValue &value)
{
    struct Printer {
        std::string operator()(bool flag) const { return flag ? "True" : "False"; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return pythonNumber(number); }
        std::string operator()(const std::string &text) const { return text; }
        std::string operator()(const std::vector<std::string> &) const { return {}; }
    };
    return std::visit(Printer{}, value);
}

bool isBlank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

/// A1111 quotes what holds a comma, a colon or a line end; the rest here is what its reader would otherwise change.
bool needsQuotes(std::string_view text)
{
    if (text.empty()) return false;
    return text.find_first_of(",:\n\r") != std::string_view::npos || text.front() == '"' || isBlank(text.front()) ||
           isBlank(text.back());
}

class Writer {
public:
    explicit Writer(const InfotextFacts &facts) : m_facts(facts) {}

    std::string pairs()
    {
        for (const std::string_view key : kFixedKeys)
            fixed(key);
        for (const auto &[key, value] : m_facts.extras)
            if (!isFixedInfotextKey(key)) pair(key, value);
        for (const ParamSpec &spec : m_facts.table.specs()) {
            if (spec.infotextKey.empty() || isFixedInfotextKey(spec.infotextKey)) continue;
            if (spec.key == "hr_scale" && applies(spec) && hiresResize()) continue;
            row(spec, false);
        }
        pair("Version", m_facts.version.empty() ? std::string("Serigraph ").append(version()) : m_facts.version);
        return std::move(m_line);
    }

private:
    void pair(std::string_view key, const std::string &value)
    {
        if (!m_line.empty()) m_line += ", ";
        m_line += key;
        if (value == key) return;
        m_line += ": ";
        m_line += needsQuotes(value) ? dumpJson(Json(value)) : value;
    }

    /// Whether the row means anything in this request.
    bool applies(const ParamSpec &spec) const
    {
        const auto used = [this](const std::string &key) {
            const ParamValue *value = m_facts.values.find(key);
            const ParamSpec *other = m_facts.table.find(key);
            return value && asksForSomething(*value) && (!other || applies(*other));
        };
        return spec.onlyWith.empty() || std::any_of(spec.onlyWith.begin(), spec.onlyWith.end(), used);
    }

    /// A row of the table; `always` writes it even with its default value.
    void row(const ParamSpec &spec, bool always)
    {
        const ParamValue *value = m_facts.values.find(spec.key);
        if (!value || spec.isPicture() || !applies(spec)) return;
        if (!spec.infotextValues.empty()) return unlessEmpty(spec.infotextKey, namedValue(spec, *value));
        if (always || spec.infotextAlways || *value != spec.defaultValue) pair(spec.infotextKey, valueText(*value));
    }

    static std::string namedValue(const ParamSpec &spec, const ParamValue &value)
    {
        const auto *number = std::get_if<std::int64_t>(&value);
        const auto *flag = std::get_if<bool>(&value);
        const std::int64_t index = number ? *number - static_cast<std::int64_t>(spec.minimum) : flag && *flag ? 1 : 0;
        if (index < 0 || index >= static_cast<std::int64_t>(spec.infotextValues.size())) return {};
        return spec.infotextValues[static_cast<std::size_t>(index)];
    }

    void fixed(std::string_view key)
    {
        if (key == "Schedule type") return unlessEmpty(key, m_facts.scheduleLabel);
        if (key == "Seed") return pair(key, std::to_string(m_facts.seed));
        if (key == "Model hash") return unlessEmpty(key, m_facts.modelHash);
        if (key == "Model") return unlessEmpty(key, m_facts.modelName);
        if (key == "Size") return size(key, "width", "height");
        if (key == "Seed resize from") return resizedSeed(key);
        for (const auto &[extra, value] : m_facts.extras)
            if (extra == key) return pair(key, value);
        if (key == "Variation seed" || key == "Variation seed strength") return variation(key);
        const bool always = key == "Steps" || key == "Sampler" || key == "CFG scale" || key == "RNG";
        for (const ParamSpec &spec : m_facts.table.specs())
            if (spec.infotextKey == key) row(spec, always);
    }

    void unlessEmpty(std::string_view key, const std::string &value)
    {
        if (!value.empty()) pair(key, value);
    }

    void size(std::string_view key, std::string_view widthKey, std::string_view heightKey)
    {
        const ParamValue *width = m_facts.values.find(widthKey);
        const ParamValue *height = m_facts.values.find(heightKey);
        if (width && height) pair(key, valueText(*width) + "x" + valueText(*height));
    }

    void resizedSeed(std::string_view key)
    {
        for (const char *side : {"seed_resize_from_w", "seed_resize_from_h"}) {
            const ParamValue *value = m_facts.values.find(side);
            if (!value || std::get<std::int64_t>(*value) <= 0) return;
        }
        size(key, "seed_resize_from_w", "seed_resize_from_h");
    }

    /// The size that hires fix was asked for takes the place of its factor.
    bool hiresResize()
    {
        const ParamValue *x = m_facts.values.find("hr_resize_x");
        const ParamValue *y = m_facts.values.find("hr_resize_y");
        if (!x || !y || (!asksForSomething(*x) && !asksForSomething(*y))) return false;
        pair("Hires resize", valueText(*x) + "x" + valueText(*y));
        return true;
    }

    void variation(std::string_view key)
    {
        const ParamValue *strength = m_facts.values.find("subseed_strength");
        if (!strength || *strength == ParamValue(0.0)) return;
        pair(key, key == "Variation seed" ? std::to_string(m_facts.subseed) : valueText(*strength));
    }

    const InfotextFacts &m_facts;
    std::string m_line;
};

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && isBlank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && isBlank(text.back()))
        text.remove_suffix(1);
    return text;
}

std::string textOf(const ParamValues &values, std::string_view key)
{
    const ParamValue *value = values.find(key);
    const auto *text = value ? std::get_if<std::string>(value) : nullptr;
    return text ? *text : std::string();
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// The line of pairs, read in one pass.
class PairReader {
public:
    explicit PairReader(std::string_view line) : m_line(line) {}

    Pairs read()
    {
        Pairs pairs;
        while (m_at < m_line.size()) {
            if (!isWord(m_line[m_at])) {
                ++m_at;
                continue;
            }
            const std::size_t begin = m_at;
            while (m_at < m_line.size() &&
                   (isWord(m_line[m_at]) || m_line[m_at] == ' ' || m_line[m_at] == '-' || m_line[m_at] == '/'))
                ++m_at;
            if (m_at == m_line.size() || m_line[m_at] != ':' || m_at - begin < 2) continue;
            std::string key(m_line.substr(begin, m_at - begin));
            ++m_at;
            pairs.emplace_back(std::move(key), value());
        }
        return pairs;
    }

private:
    static bool isWord(char c)
    {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    std::string value()
    {
        while (m_at < m_line.size() && isBlank(m_line[m_at]))
            ++m_at;
        if (std::optional<std::string> text = quoted()) return *text;
        const std::size_t end = std::min(m_line.find(',', m_at), m_line.size());
        const std::string_view raw = m_line.substr(m_at, end - m_at);
        m_at = std::min(end + 1, m_line.size());
        return std::string(raw);
    }

    /// A JSON string that ends at a comma or with the line. The search for its end is not repeated when it fails.
    std::optional<std::string> quoted()
    {
        if (m_noMoreQuotes || m_at == m_line.size() || m_line[m_at] != '"') return std::nullopt;
        std::size_t end = m_at + 1;
        while (end < m_line.size() && m_line[end] != '"')
            end += m_line[end] == '\\' ? 2 : 1;
        if (end >= m_line.size()) {
            m_noMoreQuotes = true;
            return std::nullopt;
        }
        if (end + 1 < m_line.size() && m_line[end + 1] != ',') return std::nullopt;
        const std::string_view text = m_line.substr(m_at, end + 1 - m_at);
        m_at = std::min(end + 2, m_line.size());
        const Expected<Json> json = parseJson(text);
        return json && json->is_string() ? json->get<std::string>() : std::string(text);
    }

    std::string_view m_line;
    std::size_t m_at = 0;
    bool m_noMoreQuotes = false;
};

template <class T>
std::optional<T> wholeNumber(std::string_view text)
{
    T value{};
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The value that infotext calls `text`; an empty text is the value that is not written.
std::optional<ParamValue> valueFromName(const ParamSpec &spec, std::string_view text)
{
    // Words of A1111's form for what it does not write.
    if (text == "original" || text == "Inpaint masked" || text == "Whole picture") text = "";
    const auto it = std::find(spec.infotextValues.begin(), spec.infotextValues.end(), text);
    if (it == spec.infotextValues.end()) return std::nullopt;
    const std::int64_t index = it - spec.infotextValues.begin();
    if (spec.type == ParamType::Flag) return ParamValue(index == 1);
    return ParamValue(index + static_cast<std::int64_t>(spec.minimum));
}

std::optional<ParamValue> valueFromText(const ParamSpec &spec, std::string_view text)
{
    if (!spec.infotextValues.empty()) return valueFromName(spec, text);
    switch (spec.type) {
    case ParamType::Flag:
        if (text == "True" || text == "true") return ParamValue(true);
        if (text == "False" || text == "false") return ParamValue(false);
        return std::nullopt;
    case ParamType::Integer:
        return wholeNumber<std::int64_t>(text);
    case ParamType::Number:
        return wholeNumber<double>(text);
    case ParamType::Text:
    case ParamType::Choice:
        return ParamValue(std::string(text));
    case ParamType::Picture:
    case ParamType::Pictures:
        return std::nullopt;
    }
    return std::nullopt;
}

/// Fills ParsedInfotext::params from the pairs.
class Mapper {
public:
    Mapper(ParsedInfotext &parsed, const ParamTable &table) : m_parsed(parsed), m_table(table) {}

    void map()
    {
        set("prompt", m_parsed.prompt);
        set("negative_prompt", m_parsed.negativePrompt);
        for (const ParamSpec &spec : m_table.specs()) {
            if (spec.infotextKey.empty() || spec.key == "sampler_name" || spec.key == "scheduler") continue;
            if (const std::string_view text = m_parsed.value(spec.infotextKey); !text.empty()) set(spec.key, text);
        }
        size("Size", "width", "height");
        size("Seed resize from", "seed_resize_from_w", "seed_resize_from_h");
        sampler();
        inpainting();
        // A1111 writes its numbers, not that it was used.
        if (m_table.find("alternative_noise") && !m_parsed.value("Decode steps").empty())
            m_parsed.params["alternative_noise"] = true;
        hires();
    }

private:
    void set(std::string_view key, std::string_view text)
    {
        const ParamSpec *spec = m_table.find(key);
        if (!spec) return;
        const std::optional<ParamValue> value = valueFromText(*spec, text);
        const Expected<void> checked =
            value ? checkValue(*spec, *value) : fail(ErrorCode::InvalidArgument, spec->key + " is no such value");
        if (checked)
            m_parsed.params[spec->key] = toJson(*value);
        else
            m_parsed.notes.push_back(checked.error().message + ": \"" + std::string(text.substr(0, 80)) +
                                     "\" was left out");
    }

    void size(std::string_view key, std::string_view widthKey, std::string_view heightKey)
    {
        const std::string_view text = m_parsed.value(key);
        const std::size_t cross = text.find('x');
        if (cross == std::string_view::npos) return;
        set(widthKey, text.substr(0, cross));
        set(heightKey, text.substr(cross + 1));
    }

    /// A1111 leaves out what is usual in its form, not in its API.
    void inpainting()
    {
        if (m_parsed.value("Mask blur").empty()) return;
        for (const ParamSpec &spec : m_table.specs())
            if (!spec.infotextValues.empty() && m_parsed.value(spec.infotextKey).empty() && valueFromName(spec, ""))
                set(spec.key, "");
    }

    void hires()
    {
        const std::string_view size = m_parsed.value("Hires resize");
        const std::size_t cross = size.find('x');
        if (cross != std::string_view::npos) {
            set("hr_resize_x", size.substr(0, cross));
            set("hr_resize_y", size.substr(cross + 1));
        }
        if (cross == std::string_view::npos && m_parsed.value("Hires upscale").empty()) return;
        if (m_table.find("enable_hr")) m_parsed.params["enable_hr"] = true;
    }

    /// "DPM++ 2M Karras" in files from before 1.9, a pair of its own for the schedule since.
    void sampler()
    {
        const std::string_view name = m_parsed.value("Sampler");
        if (name.empty() || !m_table.find("sampler_name") || !m_table.find("scheduler")) return;
        const SamplerChoice choice = resolveSampler(name, m_parsed.value("Schedule type"));
        m_parsed.notes.insert(m_parsed.notes.end(), choice.notes.begin(), choice.notes.end());
        m_parsed.params["sampler_name"] = choice.sampler->name;
        m_parsed.params["scheduler"] = choice.schedule->label;
    }

    ParsedInfotext &m_parsed;
    const ParamTable &m_table;
};

void readPrompts(std::string_view text, ParsedInfotext &parsed)
{
    std::string *prompt = &parsed.prompt;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = trimmed(text.substr(at, end - at));
        at = end + 1;
        if (line.starts_with(kNegative)) {
            prompt = &parsed.negativePrompt;
            line = trimmed(line.substr(kNegative.size()));
        }
        if (!prompt->empty()) *prompt += '\n';
        *prompt += line;
    }
}

}  // namespace

bool isFixedInfotextKey(std::string_view key)
{
    return std::find(kFixedKeys.begin(), kFixedKeys.end(), key) != kFixedKeys.end();
}

std::string pythonNumber(double value)
{
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 40> text{};
    const double size = std::abs(value);
    const auto format =
        size != 0 && (size < 1e-4 || size >= 1e16) ? std::chars_format::scientific : std::chars_format::fixed;
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value, format);
    std::string out(text.data(), result.ptr);
    if (format == std::chars_format::fixed && out.find('.') == std::string::npos) out += ".0";
    return out;
}

std::string infotext(const InfotextFacts &facts)
{
    const std::string negative = textOf(facts.values, "negative_prompt");
    std::string text = textOf(facts.values, "prompt");
    if (!negative.empty()) text.append("\n").append(kNegative).append(" ").append(negative);
    text.append("\n").append(Writer(facts).pairs());
    return std::string(trimmed(text));
}

std::string_view ParsedInfotext::value(std::string_view key) const
{
    const auto it = std::find_if(pairs.begin(), pairs.end(), [&](const auto &pair) { return pair.first == key; });
    return it == pairs.end() ? std::string_view() : std::string_view(it->second);
}

std::string infotextIn(std::string_view file)
{
    const Expected<std::vector<TextChunk>> texts = readPngTexts(file);
    const std::string text = texts ? infotextIn(*texts) : std::string();
    return text.empty() ? readExif(file).comment : text;
}

std::string infotextIn(const std::vector<TextChunk> &texts)
{
    const auto it = std::find_if(texts.begin(), texts.end(),
                                 [](const TextChunk &text) { return text.keyword == kInfotextKeyword; });
    return it == texts.end() ? std::string() : it->text;
}

Expected<ParsedInfotext> parseInfotext(std::string_view text, const ParamTable &table)
{
    if (text.size() > kMaxInfotext) return fail(ErrorCode::TooLarge, "an infotext may have 1 MiB");
    if (text.find('\0') != std::string_view::npos)
        return fail(ErrorCode::InvalidArgument, "the infotext contains U+0000");
    if (!isUtf8(text)) return fail(ErrorCode::InvalidArgument, "the infotext is not valid UTF-8");
    text = trimmed(text);
    ParsedInfotext parsed;
    const std::size_t lastLine = text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1;
    parsed.pairs = PairReader(text.substr(lastLine)).read();
    if (parsed.pairs.size() < 3)
        parsed.pairs.clear();
    else
        text = text.substr(0, lastLine == 0 ? 0 : lastLine - 1);
    readPrompts(text, parsed);
    Mapper(parsed, table).map();
    addWhatOldVersionsDid(parsed, table);
    noteWhatIsNotRead(parsed, table);
    return parsed;
}

}  // namespace sg
