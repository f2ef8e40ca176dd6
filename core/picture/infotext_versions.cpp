#include "core/picture/infotext_versions.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace sg {
namespace {

/// Main, minor, patch, and how many commits behind that.
using Version = std::array<int, 4>;

constexpr Version kNewTimelines{1, 6, 0, 0};
constexpr Version kSingleLevels{1, 7, 0, 225};
constexpr Version kRefinerByLevels{1, 8, 0, 0};

/// "v1.7.0", "1.7.0", "v1.7.0-225-gabcdef0"; nothing for any other form.
std::optional<Version> versionFrom(std::string_view text)
{
    if (text.starts_with('v')) text.remove_prefix(1);
    Version version{};
    for (std::size_t i = 0; i < version.size(); ++i) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[i]);
        if (error != std::errc() || version[i] < 0) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (i + 1 == version.size()) break;
        const bool more = text.starts_with(i < 2 ? '.' : '-');
        if (!more) return i == 2 && text.empty() ? std::optional(version) : std::nullopt;
        text.remove_prefix(1);
    }
    return text.empty() || text.starts_with('-') ? std::optional(version) : std::nullopt;
}

/// Forge says "f2.0.1v1.10.1-…".
bool isForge(std::string_view version)
{
    return version.size() > 1 && version[0] == 'f' && version[1] >= '0' && version[1] <= '9';
}

}  // namespace

void addWhatOldVersionsDid(ParsedInfotext &parsed, const ParamTable &table)
{
    if (parsed.pairs.empty()) return;
    const auto set = [&](const char *key, const Json &value, const char *why) {
        if (!table.find(key) || parsed.params.contains(key)) return;
        parsed.params[key] = value;
        parsed.notes.emplace_back(std::string(key) + " is " + value.dump() + ": " + why);
    };
    const std::string_view said = parsed.value("Version");
    const std::optional<Version> version = versionFrom(said);
    if (said.empty() || version || isForge(said))
        set("randn_source", "NV", "the text names no RNG, which with A1111 and Forge is an NVIDIA GPU's");
    if (!version) return;
    if (*version < kNewTimelines && parsed.prompt.find('[') != std::string::npos)
        set("use_old_scheduling", true, "A1111 before 1.6 made it");
    if (*version < kSingleLevels) set("use_downcasted_alpha_bar", true, "A1111 before 1.7.0-225 made it");
    if (*version < kRefinerByLevels && !parsed.value("Refiner").empty())
        set("refiner_switch_by_sample_steps", true, "A1111 before 1.8 made it");
}

}  // namespace sg
