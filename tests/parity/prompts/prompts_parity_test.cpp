// 300 prompts against another reading of A1111's grammar (tests/parity/make_prompts.py, with the lark package).
#include "core/base/json.h"
#include "core/text/prompt.h"
#include "core/text/prompt_plan.h"
#include "core/text/prompt_template.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

constexpr double kTolerance = 1e-12;  // of a weight, relative

using sg::Json;

bool near(double value, const Json &expected)
{
    return std::abs(value - expected.get<double>()) <= kTolerance * std::abs(value);
}

bool sameWeights(const std::string &text, const Json &expected)
{
    const auto pieces = sg::parsePrompt(text);
    if (!pieces || pieces->size() != expected.size()) return false;
    for (std::size_t i = 0; i < pieces->size(); ++i)
        if ((*pieces)[i].text != expected[i][0] || !near((*pieces)[i].weight, expected[i][1])) return false;
    return true;
}

bool samePart(const sg::PromptPlan::Part &part, const Json &expected)
{
    const Json &entries = expected["schedule"];
    if (!near(part.weight, expected["weight"]) || part.schedule.entries.size() != entries.size()) return false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const sg::PromptSchedule::Entry &entry = part.schedule.entries[i];
        if (entry.until != entries[i][0] || part.schedule.texts[entry.text] != entries[i][1]) return false;
    }
    for (std::size_t i = 0; i < expected["weighed"].size(); ++i)
        if (!sameWeights(part.schedule.texts[part.schedule.entries[i].text], expected["weighed"][i])) return false;
    return true;
}

bool sameTag(const sg::ExtraNetwork &network, const Json &expected)
{
    std::size_t positional = 0, named = 0;
    if (network.type != expected[0]) return false;
    for (const Json &item : expected[1]) {
        const auto text = item.get<std::string>();
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos) {
            if (positional == network.positional.size() || network.positional[positional++] != text) return false;
        } else if (named == network.named.size() || network.named[named].first != text.substr(0, equals) ||
                   network.named[named++].second != text.substr(equals + 1)) {
            return false;
        }
    }
    return positional == network.positional.size() && named == network.named.size();
}

bool same(const Json &row)
{
    const std::string prompt = sg::stripComments(row["prompt"].get<std::string>());
    const auto plan = sg::planPrompt(prompt, {row["steps"].get<std::int64_t>(), row["second"].get<std::int64_t>()});
    if (!plan || plan->parts.size() != row["parts"].size() || plan->networks.size() != row["tags"].size()) return false;
    for (std::size_t i = 0; i < plan->networks.size(); ++i)
        if (!sameTag(plan->networks[i], row["tags"][i])) return false;
    for (std::size_t i = 0; i < plan->parts.size(); ++i)
        if (!samePart(plan->parts[i], row["parts"][i])) return false;
    return true;
}

}  // namespace

int main(int count, char **files)
{
    int prompts = 0, wrong = 0;
    for (int i = 1; i < count; ++i) {
        std::ifstream file(files[i]);
        for (std::string line; std::getline(file, line); ++prompts) {
            const auto row = sg::parseJson(line);
            if (row && same(*row)) continue;
            ++wrong;
            std::printf("differs: %s\n", line.c_str());
        }
    }
    std::printf("%d prompts, %d differ\n", prompts, wrong);
    return prompts >= 300 && wrong == 0 ? 0 : 1;
}
