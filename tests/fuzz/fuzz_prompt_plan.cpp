#include "core/text/prompt.h"
#include "core/text/prompt_plan.h"
#include "core/text/prompt_styles.h"
#include "core/text/prompt_template.h"
#include "tests/fuzz/require.h"

#include <cmath>
#include <string>
#include <vector>

namespace {

/// Lines that name themselves and each other.
class Lines final : public sg::WildcardSource {
public:
    sg::Expected<const std::vector<std::string> *> lines(std::string_view name) override
    {
        if (name == "no") return sg::fail(sg::ErrorCode::NotFound, "no such wildcard", "no");
        return &m_lines;
    }

private:
    std::vector<std::string> m_lines{"red", "2::{blue|__a__}", "__b__ __c__"};
};

void checkPlan(std::string_view text, const sg::ScheduleSteps &steps)
{
    const auto plan = sg::planPrompt(text, steps);
    if (!plan) return;
    SG_REQUIRE(!plan->parts.empty() && plan->parts.size() <= sg::kMaxPromptParts);
    const std::int64_t last = steps.hiresSteps > 0 ? steps.hiresSteps : steps.steps;
    for (const sg::PromptPlan::Part &part : plan->parts) {
        SG_REQUIRE(std::isfinite(static_cast<float>(part.weight)));
        SG_REQUIRE(!part.schedule.entries.empty() && part.schedule.entries.back().until == last);
        std::int64_t before = 0;
        for (const sg::PromptSchedule::Entry &entry : part.schedule.entries) {
            SG_REQUIRE(entry.until > before && entry.text < part.schedule.texts.size());
            before = entry.until;
        }
        for (std::int64_t call = 0; call <= last + 1; ++call)
            SG_REQUIRE(part.schedule.textAt(call) < part.schedule.texts.size());
        for (const std::string &piece : part.schedule.texts)
            SG_REQUIRE(piece.size() <= text.size());
    }
    (void)sg::loraTags(plan->networks);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view text = fuzzText(data, size);
    checkPlan(text, {.steps = 20});
    checkPlan(text, {.steps = 7, .hiresSteps = 5});
    Lines lines;
    const auto made = sg::resolvePrompt(text, size, &lines);
    if (made) {
        SG_REQUIRE(made->size() <= sg::kMaxPromptBytes);
        SG_REQUIRE(sg::resolvePrompt(text, size, &lines) == made);
        if (!sg::hasVariants(text)) SG_REQUIRE(*made == sg::stripComments(text));
    }
    const auto styles = sg::parseStyles(text);
    if (styles)
        for (const sg::PromptStyle &style : *styles) {
            SG_REQUIRE(!style.name.empty());
            (void)sg::withStyle(style.prompt, style.negativePrompt);
        }
    return 0;
}
