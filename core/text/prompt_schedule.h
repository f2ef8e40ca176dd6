#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

inline constexpr std::size_t kMaxScheduleBytes = 4 * 1024 * 1024;  ///< of a schedule's texts together

/// How many times the network is asked, which is what the numbers in a prompt count.
struct ScheduleSteps {
    std::int64_t steps = 0;       ///< of the (first) pass
    std::int64_t hiresSteps = 0;  ///< over 0: of the second pass, which the schedule is for
    bool oldTimelines = false;  ///< A1111's before 1.6: numbers below 1 are shares, and the second pass is as the first
};

/// The texts that a prompt goes through: each is used until its step.
struct PromptSchedule {
    struct Entry {
        std::int64_t until = 0;  ///< the last call of the network, counted from 0, that uses it
        std::size_t text = 0;
        bool operator==(const Entry &) const = default;
    };
    std::vector<std::string> texts;  ///< each once, in the order of first use
    std::vector<Entry> entries;      ///< never empty, rising

    /// Which text call `call` (from 0) of the network uses; behind the last entry it is the first again, as in A1111.
    std::size_t textAt(std::int64_t call) const;
};

/// Reads [from:to:when], [to:when], [from::when] and [a|b|…]. `when` with a dot is a share of the steps, without one a
/// step; in the second pass shares count from 1 and steps go on from the first pass. What does not fit the grammar is
/// text: brackets and colons alone, and the whole prompt when a | stands outside of [a|b] or a backslash at its end.
/// Everything else (weights, escapes) stays in the texts. Linear in the length, for each step that makes a difference.
/// Errors  those of checkPrompt; InvalidArgument for more than 64 brackets open at once, TooLarge when the texts have
/// more than 4 MiB. Subject "prompt". Source  AUTOMATIC1111 webui 1.10.1, behaviour of its prompt parser.
Expected<PromptSchedule> schedulePrompt(std::string_view prompt, const ScheduleSteps &steps);

}  // namespace sg
