#pragma once

#include "core/base/expected.h"
#include "core/params/param_values.h"
#include "core/text/prompt_styles.h"

#include <filesystem>
#include <string>
#include <vector>

namespace sg::server {

/// The styles of a styles.csv as it is now; none when there is no such file.
/// Errors  those of parseStyles; Internal when the file cannot be read.
Expected<std::vector<PromptStyle>> readStyles(const std::filesystem::path &file);

/// Puts the styles that the value `styles` names around both prompts, in that order, and takes the names away. Those
/// that are unknown are noted. Errors  those of readStyles; TooLarge when a prompt gets too long.
Expected<void> applyStyles(const std::filesystem::path &file, ParsedParams &parsed);

}  // namespace sg::server
