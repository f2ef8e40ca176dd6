#include "core/text/prompt_plan.h"

#include "core/text/prompt_scan.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace sg {
namespace {

constexpr std::string_view kAnd = "AND";

/// Digits with an optional sign and at most one dot, as a weight may be written.
bool isWeight(std::string_view text)
{
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    const std::size_t whole = std::min(text.find_first_not_of("0123456789"), text.size());
    if (whole == text.size()) return whole > 0;
    if (text[whole] != '.') return false;
    const std::string_view rest = text.substr(whole + 1);
    return rest.find_first_not_of("0123456789") == std::string_view::npos && (whole > 0 || !rest.empty());
}

WeightedPart partOf(std::string_view text)
{
    const std::string_view trimmed = trimmedText(text);
    // Blanks at the beginning belong to the text, those at the end do not.
    const auto end = static_cast<std::size_t>(trimmed.data() + trimmed.size() - text.data());
    const std::string_view whole = trimmed.empty() ? std::string_view() : text.substr(0, end);
    const std::size_t colon = whole.rfind(':');
    if (colon == std::string_view::npos) return {std::string(whole), 1};
    const std::string_view number = trimmedText(whole.substr(colon + 1));
    if (!isWeight(number)) return {std::string(whole), 1};
    std::string_view before = whole.substr(0, colon);
    const std::string_view kept = trimmedText(before);
    before =
        kept.empty() ? kept : before.substr(0, static_cast<std::size_t>(kept.data() + kept.size() - before.data()));
    return {std::string(before), decimal(number)};
}

}  // namespace

Expected<std::vector<WeightedPart>> splitAnd(std::string_view prompt)
{
    std::vector<WeightedPart> parts;
    std::size_t begin = 0;
    for (std::size_t found = 0; found != std::string_view::npos;) {
        found = prompt.find(kAnd, found);
        if (found != std::string_view::npos && !standsAlone(prompt, found, found + kAnd.size())) {
            found += kAnd.size();
            continue;
        }
        const std::size_t end = std::min(found, prompt.size());
        parts.push_back(partOf(prompt.substr(begin, end - begin)));
        if (!std::isfinite(static_cast<float>(parts.back().weight)))
            return fail(ErrorCode::InvalidArgument,
                        "the weight of the part that ends " + placeOf(prompt, end) + " is out of range", "prompt");
        if (parts.size() > kMaxPromptParts)
            return fail(ErrorCode::TooLarge,
                        "the prompt has more than " + std::to_string(kMaxPromptParts) + " parts joined by AND " +
                            placeOf(prompt, end),
                        "prompt");
        if (found != std::string_view::npos) begin = found = found + kAnd.size();
    }
    return parts;
}

Expected<PromptPlan> planPrompt(std::string_view prompt, const ScheduleSteps &steps)
{
    if (Expected<void> sound = checkPrompt(prompt); !sound) return Unexpected{sound.error()};
    TextAndNetworks taken = takeExtraNetworks(prompt);
    const Expected<std::vector<WeightedPart>> parts = splitAnd(taken.text);
    if (!parts) return Unexpected{parts.error()};
    PromptPlan plan;
    plan.networks = std::move(taken.networks);
    for (const WeightedPart &part : *parts) {
        Expected<PromptSchedule> schedule = schedulePrompt(part.text, steps);
        if (!schedule) {
            Error error = schedule.error();
            if (parts->size() > 1) error.message += " of part " + std::to_string(plan.parts.size() + 1);
            return Unexpected{error};
        }
        plan.parts.push_back({part.weight, std::move(*schedule)});
    }
    return plan;
}

Expected<PromptPlan> planNegativePrompt(std::string_view prompt, const ScheduleSteps &steps)
{
    Expected<PromptSchedule> schedule = schedulePrompt(prompt, steps);
    if (!schedule) {
        Error error = schedule.error();
        error.subject = "negative_prompt";
        return Unexpected{error};
    }
    PromptPlan plan;
    plan.parts.push_back({1, std::move(*schedule)});
    return plan;
}

}  // namespace sg
