#pragma once

#include "core/text/extra_networks.h"
#include "core/text/prompt_schedule.h"

#include <string>
#include <string_view>
#include <vector>

namespace sg {

inline constexpr std::size_t kMaxPromptParts = 64;

/// One of the texts that the word AND joins, and how much it counts.
struct WeightedPart {
    std::string text;
    double weight = 1;
    bool operator==(const WeightedPart &) const = default;
};

/// Cuts a prompt at the word AND. A ":1.5" at the end of a part, or of a prompt without AND, is its weight.
/// Errors  TooLarge for more than 64 parts; InvalidArgument for a weight that is not finite as a 32-bit float.
Expected<std::vector<WeightedPart>> splitAnd(std::string_view prompt);

/// What a prompt asks of the network, step by step.
struct PromptPlan {
    struct Part {
        double weight = 1;
        PromptSchedule schedule;
    };
    std::vector<Part> parts;  ///< never empty
    std::vector<ExtraNetwork> networks;
};

/// Tags, AND, schedules, in A1111's order; what is left in the texts is chunkPrompt's. The prompt has no comments,
/// variants and wildcards any more (resolvePrompt). Errors  those of schedulePrompt and splitAnd. Subject "prompt".
Expected<PromptPlan> planPrompt(std::string_view prompt, const ScheduleSteps &steps);

/// The same for a negative prompt: one part, and tags are text. Errors  as schedulePrompt, subject "negative_prompt".
Expected<PromptPlan> planNegativePrompt(std::string_view prompt, const ScheduleSteps &steps);

}  // namespace sg
