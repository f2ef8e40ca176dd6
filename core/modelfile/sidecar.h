#pragma once

#include "core/base/expected.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace sg {

/// What the `.yaml` beside a checkpoint says of it: the configuration file of its training, as A1111 reads it. Only
/// what no shape tells is taken from it, and the width of the context, to compare.
struct Sidecar {
    std::optional<bool> predictsV;
    std::optional<double> latentScale;
    std::optional<std::int64_t> contextDim;
    std::optional<std::int64_t> heads;    ///< of the UNet's attention
    std::optional<std::int64_t> headDim;  ///< channels of each head, where that is what is said
    std::optional<bool> penultimate;      ///< whether the text encoder's last layer but one is read

    bool operator==(const Sidecar &) const = default;
};

inline constexpr std::size_t kMaxSidecarBytes = 256 * 1024;
inline constexpr int kMaxSidecarDepth = 32;

/// Reads YAML's events one by one: no tree is built, aliases and more than one document are refused.
/// Errors  UnusableFile: no YAML (with the line), too long, too deep, or a value that is none.
Expected<Sidecar> parseSidecar(std::string_view yaml);

/// Where a checkpoint's sidecar would be: the file's name with the extension `.yaml`; behind a folder's whole name.
std::filesystem::path sidecarPath(const std::filesystem::path &checkpoint);

/// Of the file at sidecarPath(); nothing when there is none.
/// Errors  those of parseSidecar; subject = the path.
Expected<std::optional<Sidecar>> readSidecar(const std::filesystem::path &checkpoint);

}  // namespace sg
