#pragma once

#include "core/base/expected.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// Where __name__ finds its lines.
class WildcardSource {
public:
    virtual ~WildcardSource() = default;
    /// The lines of a wildcard, without blank ones and comments. Valid as long as the source.
    /// Errors  NotFound, and what reading it meets.
    virtual Expected<const std::vector<std::string> *> lines(std::string_view name) = 0;
};

/// Everything from # to the end of its line becomes one line end, as in A1111.
std::string stripComments(std::string_view text);

/// Whether a prompt has something that the seed decides.
bool hasVariants(std::string_view prompt);

/// Makes a prompt of a template: comments away, then one of each {a|b|c} and one line of each __name__ taken.
/// {2$$a|b|c} takes two different ones, joined by a comma; {1-2$$ and $$a|b} one or two, joined by " and ";
/// {0.5::a|2::b} weighs them. Options are templates themselves, so are lines. A brace without its partner, and \{ \}
/// \_, are text. Same seed and same files: same prompt. Linear in what it reads and writes. Errors  those of
/// checkPrompt, also for the result; InvalidArgument: more than 64 braces or wildcards inside each other, a weight that
/// is negative or all weights 0, more than 100,000 choices; NotFound: a wildcard that `wildcards` does not have.
/// Subject "prompt".
Expected<std::string> resolvePrompt(std::string_view prompt, std::uint64_t seed, WildcardSource *wildcards);

}  // namespace sg
