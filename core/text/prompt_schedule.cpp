#include "core/text/prompt_schedule.h"

#include "core/text/prompt.h"
#include "core/text/prompt_scan.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

namespace sg {
namespace {

/// The prompt in order: runs of text, and the brackets, colons and bars, each on its own. A bracket that turned out to
/// open a schedule or an alternation knows its parts; all others are text.
struct Piece {
    std::string_view text;
    std::vector<std::size_t> marks;  ///< of a group: the pieces that separate its parts, then the one that closes it
    bool schedule = false;           ///< else an alternation
    double when = 0;                 ///< of a schedule
    bool share = false;              ///< `when` is a share of the steps
};

/// A number as the grammar has it, with blanks around it; nothing when it is none.
std::optional<std::string_view> numberIn(std::string_view text)
{
    const std::string_view number = trimmedText(text);
    const auto digits = [&](std::size_t at) {
        const std::size_t end = number.find_first_not_of("0123456789", at);
        return (end == std::string_view::npos ? number.size() : end) - at;
    };
    std::size_t at = !number.empty() && (number[0] == '+' || number[0] == '-') ? 1 : 0;
    std::size_t count = digits(at);
    at += count;
    if (at < number.size() && number[at] == '.') {
        const std::size_t behind = digits(at + 1);
        count += behind;
        at += 1 + behind;
    }
    if (count == 0) return std::nullopt;
    if (at < number.size() && (number[at] == 'e' || number[at] == 'E')) {
        ++at;
        if (at < number.size() && (number[at] == '+' || number[at] == '-')) ++at;
        if (digits(at) == 0) return std::nullopt;
        at += digits(at);
    }
    return at == number.size() ? std::optional(number) : std::nullopt;
}

class ScheduleParser {
public:
    explicit ScheduleParser(std::string_view text) : m_text(text) {}

    /// One piece of text when the grammar does not hold.
    Expected<std::vector<Piece>> parse()
    {
        while (m_at < m_text.size() && !m_broken) {
            if (Expected<void> made = step(); !made) return Unexpected{made.error()};
        }
        abandon();
        if (m_broken) return std::vector<Piece>{{m_text, {}, false, 0, false}};
        return std::move(m_pieces);
    }

private:
    struct Open {
        char bracket = '[';
        std::size_t piece = 0;
        std::vector<std::size_t> colons, bars;
    };

    Expected<void> step()
    {
        const char c = m_text[m_at];
        if (c == '\\') {
            // A backslash takes the next character with it; without one, or before a line end, the grammar fails.
            if (m_at + 1 >= m_text.size() || m_text[m_at + 1] == '\n')
                m_broken = true;
            else
                add(1 + codePointAt(m_text, m_at + 1).bytes);
        } else if (c == '(' || c == '[') {
            if (m_open.size() == kMaxPromptBrackets)
                return fail(ErrorCode::InvalidArgument,
                            "more than " + std::to_string(kMaxPromptBrackets) + " brackets are open at once " +
                                placeOf(m_text, m_at),
                            "prompt");
            m_open.push_back({c, m_pieces.size(), {}, {}});
            add(1);
        } else if (c == ')' || c == ']') {
            close(c == ')' ? '(' : '[');
        } else if (c == ':') {
            if (!m_open.empty()) m_open.back().colons.push_back(m_pieces.size());
            add(1);
        } else if (c == '|') {
            if (m_open.empty() || m_open.back().bracket == '(')
                m_broken = true;
            else
                m_open.back().bars.push_back(m_pieces.size());
            add(1);
        } else {
            const std::size_t end = std::min(m_text.find_first_of("\\()[]:|", m_at), m_text.size());
            add(end - m_at);
        }
        return {};
    }

    void add(std::size_t bytes)
    {
        m_pieces.push_back({m_text.substr(m_at, bytes), {}, false, 0, false});
        m_at += bytes;
    }

    void close(char bracket)
    {
        const std::size_t here = m_pieces.size();
        const std::size_t place = m_at;
        add(1);
        if (m_open.empty()) return;
        const Open &open = m_open.back();
        const bool fits =
            open.bracket == bracket && (bracket == '(' ? open.colons.size() < 2 : group(open, here, place));
        if (fits)
            m_open.pop_back();
        else
            abandon();
    }

    /// Whether a square bracket is one of the grammar's; makes a group of it where it is more than a weight.
    bool group(const Open &open, std::size_t closing, std::size_t place)
    {
        if (!open.colons.empty() && !open.bars.empty()) return false;
        if (open.colons.empty() && open.bars.empty()) return true;
        Piece &piece = m_pieces[open.piece];
        if (!open.bars.empty()) {
            piece.marks = open.bars;
            piece.marks.push_back(closing);
            return true;
        }
        if (open.colons.size() > 2) return false;
        const std::size_t from = startOf(open.colons.back()) + 1;
        const std::optional<std::string_view> number = numberIn(m_text.substr(from, place - from));
        if (!number) return false;
        piece.marks = open.colons;
        piece.marks.push_back(closing);
        piece.schedule = true;
        piece.when = decimal(*number);
        piece.share = number->find('.') != std::string_view::npos;
        return true;
    }

    std::size_t startOf(std::size_t piece) const
    {
        return static_cast<std::size_t>(m_pieces[piece].text.data() - m_text.data());
    }

    /// A bracket that fits nowhere is text, and so are all that are open around it. A bar cannot be text.
    void abandon()
    {
        for (const Open &open : m_open)
            m_broken = m_broken || !open.bars.empty();
        m_open.clear();
    }

    std::string_view m_text;
    std::size_t m_at = 0;
    std::vector<Piece> m_pieces;
    std::vector<Open> m_open;
    bool m_broken = false;
};

bool isSecondPass(const ScheduleSteps &steps)
{
    return steps.hiresSteps > 0 && !steps.oldTimelines;
}

std::int64_t lastStep(const ScheduleSteps &steps)
{
    return isSecondPass(steps) ? steps.hiresSteps : steps.steps;
}

/// The step at which a schedule changes; A1111 rounds towards zero.
std::int64_t changeStep(const Piece &piece, const ScheduleSteps &steps)
{
    const auto last = static_cast<double>(lastStep(steps));
    const bool second = isSecondPass(steps), share = steps.oldTimelines ? piece.when < 1 : piece.share;
    const double when = share ? (piece.when - (second ? 1.0 : 0.0)) * last
                              : piece.when - (second ? static_cast<double>(steps.steps) : 0.0);
    return static_cast<std::int64_t>(std::clamp(when, -1.0, last));
}

/// The text of one step.
class StepText {
public:
    StepText(const std::vector<Piece> &pieces, const ScheduleSteps &steps, std::int64_t step)
        : m_pieces(pieces), m_steps(steps), m_step(step)
    {
    }

    std::string make()
    {
        append(0, m_pieces.size());
        return std::move(m_out);
    }

private:
    // Recursion ends: at most 64 brackets are open at once.
    void append(std::size_t from, std::size_t to)
    {
        for (std::size_t i = from; i < to; ++i) {
            const Piece &piece = m_pieces[i];
            if (piece.marks.empty()) {
                m_out += piece.text;
                continue;
            }
            const std::size_t part = chosen(piece);
            if (part != kNone) append((part == 0 ? i : piece.marks[part - 1]) + 1, piece.marks[part]);
            i = piece.marks.back();
        }
    }

    /// Part n lies before mark n. The last part of a schedule is its number.
    std::size_t chosen(const Piece &piece) const
    {
        if (!piece.schedule) return static_cast<std::size_t>(m_step - 1) % piece.marks.size();
        const std::size_t after = piece.marks.size() - 2;
        if (m_step > changeStep(piece, m_steps)) return after;
        return after == 0 ? kNone : 0;
    }

    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    const std::vector<Piece> &m_pieces;
    const ScheduleSteps &m_steps;
    std::int64_t m_step;
    std::string m_out;
};

std::vector<std::int64_t> changes(const std::vector<Piece> &pieces, const ScheduleSteps &steps)
{
    const std::int64_t last = std::max<std::int64_t>(lastStep(steps), 1);
    std::set<std::int64_t> found{last};
    bool alternates = false;
    for (const Piece &piece : pieces) {
        if (piece.schedule && changeStep(piece, steps) >= 1) found.insert(changeStep(piece, steps));
        alternates = alternates || (!piece.schedule && !piece.marks.empty());
    }
    if (!alternates) return {found.begin(), found.end()};
    std::vector<std::int64_t> all(static_cast<std::size_t>(last));
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<std::int64_t>(i) + 1;
    return all;
}

}  // namespace

std::size_t PromptSchedule::textAt(std::int64_t call) const
{
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [call](const Entry &one) { return call <= one.until; });
    return entry == entries.end() ? entries.front().text : entry->text;
}

Expected<PromptSchedule> schedulePrompt(std::string_view prompt, const ScheduleSteps &steps)
{
    if (Expected<void> sound = checkPrompt(prompt); !sound) return Unexpected{sound.error()};
    const Expected<std::vector<Piece>> pieces = ScheduleParser(prompt).parse();
    if (!pieces) return Unexpected{pieces.error()};
    PromptSchedule schedule;
    std::unordered_map<std::string, std::size_t> known;
    std::size_t bytes = 0;
    for (const std::int64_t step : changes(*pieces, steps)) {
        std::string text = StepText(*pieces, steps, step).make();
        const auto [entry, isNew] = known.try_emplace(std::move(text), schedule.texts.size());
        if (isNew) {
            bytes += entry->first.size();
            if (bytes > kMaxScheduleBytes)
                return fail(ErrorCode::TooLarge,
                            "the prompt changes too often for its length: its texts have more than " +
                                std::to_string(kMaxScheduleBytes) + " bytes",
                            "prompt");
            schedule.texts.push_back(entry->first);
        }
        schedule.entries.push_back({step, entry->second});
    }
    return schedule;
}

}  // namespace sg
