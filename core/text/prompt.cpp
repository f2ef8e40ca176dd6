#include "core/text/prompt.h"

#include "core/text/prompt_scan.h"

#include <cmath>
#include <limits>
#include <optional>

namespace sg {
namespace {

constexpr double kRoundFactor = 1.1;
constexpr double kSquareFactor = 1 / 1.1;
constexpr std::string_view kBreak = "BREAK";

/// ": 1.5 )" at a colon: its number, or nothing when the characters there are no number. `end` is set behind the
/// bracket.
std::optional<double> explicitWeight(std::string_view text, std::size_t colon, std::size_t &end)
{
    std::size_t at = skipSpace(text, colon + 1);
    const std::size_t begin = at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t digits = at;
    int dots = 0;
    while (at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9')))
        dots += text[at++] == '.';
    const bool number = dots <= 1 && at - digits > static_cast<std::size_t>(dots);
    const std::string_view unsignedNumber = text.substr(digits, at - digits);
    at = skipSpace(text, at);
    if (!number || at >= text.size() || text[at] != ')') return std::nullopt;
    end = at + 1;
    const double value = decimal(unsignedNumber);
    return text[begin] == '-' ? -value : value;
}

class Parser {
public:
    explicit Parser(std::string_view text) : m_text(text) {}

    Expected<std::vector<WeightedText>> parse()
    {
        while (m_at < m_text.size()) {
            if (m_round.size() + m_square.size() > kMaxPromptBrackets)
                return fail(ErrorCode::InvalidArgument,
                            "more than " + std::to_string(kMaxPromptBrackets) + " brackets are open at once " +
                                placeOf(m_text, m_at - 1),
                            "prompt");
            step();
        }
        for (const std::size_t start : m_round)
            weigh(start, kRoundFactor);
        for (const std::size_t start : m_square)
            weigh(start, kSquareFactor);
        if (m_pieces.empty()) m_pieces.push_back({});
        for (const WeightedText &piece : m_pieces)
            if (!std::isfinite(static_cast<float>(piece.weight)) ||
                std::abs(piece.weight) > std::numeric_limits<float>::max())
                return fail(ErrorCode::InvalidArgument,
                            "a weight is out of range at \"" + piece.text.substr(0, 60) + "\"", "prompt");
        return joined();
    }

private:
    void step()
    {
        const char c = m_text[m_at];
        std::size_t end = 0;
        switch (c) {
        case '\\':
            return escape();
        case '(':
            return open(m_round);
        case '[':
            return open(m_square);
        case ')':
            return close(m_round, kRoundFactor);
        case ']':
            return close(m_square, kSquareFactor);
        case ':':
            if (const auto weight = m_round.empty() ? std::nullopt : explicitWeight(m_text, m_at, end)) {
                weigh(m_round.back(), *weight);
                m_round.pop_back();
                m_at = end;
                return;
            }
            return literal(1);
        default:
            return literal(m_text.find_first_of("\\()[]:", m_at) - m_at);
        }
    }

    void escape()
    {
        const bool known =
            m_at + 1 < m_text.size() && std::string_view("()[]\\").find(m_text[m_at + 1]) != std::string_view::npos;
        m_pieces.push_back({std::string(m_text.substr(m_at + 1, known ? 1 : 0)), 1});
        m_at += known ? 2 : 1;
    }

    void open(std::vector<std::size_t> &brackets)
    {
        brackets.push_back(m_pieces.size());
        ++m_at;
    }

    void close(std::vector<std::size_t> &brackets, double factor)
    {
        if (brackets.empty()) return literal(1);
        weigh(brackets.back(), factor);
        brackets.pop_back();
        ++m_at;
    }

    /// A1111 multiplies when a bracket closes, so the order of the factors, and with it the last bit, is the same here.
    /// At most 64 brackets are open at once, so a piece is multiplied at most 64 times.
    void weigh(std::size_t start, double factor)
    {
        for (std::size_t i = start; i < m_pieces.size(); ++i)
            m_pieces[i].weight *= factor;
    }

    /// Plain text, cut at the word BREAK with the spaces around it.
    void literal(std::size_t count)
    {
        const std::string_view run = m_text.substr(m_at, count);
        m_at += run.size();
        std::size_t begin = 0;
        for (std::size_t found = run.find(kBreak); found != std::string_view::npos; found = run.find(kBreak, found)) {
            const std::size_t after = found + kBreak.size();
            if (!standsAlone(run, found, after)) {
                found = after;
                continue;
            }
            std::size_t end = found;
            while (end > begin && isBlankCharacter(codePointAt(run, previousStart(run, end)).value))
                end = previousStart(run, end);
            m_pieces.push_back({std::string(run.substr(begin, end - begin)), 1});
            m_pieces.push_back({std::string(kBreak), -1});
            begin = found = skipSpace(run, after);
        }
        m_pieces.push_back({std::string(run.substr(begin)), 1});
    }

    std::vector<WeightedText> joined()
    {
        std::vector<WeightedText> out;
        for (WeightedText &piece : m_pieces) {
            if (!out.empty() && out.back().weight == piece.weight)
                out.back().text += piece.text;
            else
                out.push_back(std::move(piece));
        }
        return out;
    }

    std::string_view m_text;
    std::size_t m_at = 0;
    std::vector<WeightedText> m_pieces;
    std::vector<std::size_t> m_round;
    std::vector<std::size_t> m_square;
};

}  // namespace

Emphasis emphasisFromName(std::string_view name)
{
    if (name == "None") return Emphasis::None;
    if (name == "Ignore") return Emphasis::Ignore;
    return name == "No norm" ? Emphasis::NoNorm : Emphasis::Original;
}

Expected<std::vector<WeightedText>> parsePrompt(std::string_view prompt)
{
    if (Expected<void> sound = checkPrompt(prompt); !sound) return Unexpected{sound.error()};
    return Parser(prompt).parse();
}

}  // namespace sg
