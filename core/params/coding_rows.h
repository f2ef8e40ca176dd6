#pragma once

#include "core/params/param_spec.h"

#include <string_view>
#include <vector>

namespace sg {

/// The rows of how pictures and latents become each other: seamless edges, tiles, previews. Keys are A1111's where it
/// has them.
std::vector<ParamSpec> codingRows();

/// Whether the row changes only how latents are decoded, not the latents that are drawn.
bool isDecodingRow(std::string_view key);

/// Whether the row changes only what is shown while a task runs.
bool isPreviewRow(std::string_view key);

/// Choices of show_progress_type.
inline constexpr const char *kPreviewCheap = "Approx cheap";
inline constexpr const char *kPreviewTiny = "TAESD";
inline constexpr const char *kPreviewFull = "Full";

}  // namespace sg
