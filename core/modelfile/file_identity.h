#pragma once

#include "core/base/expected.h"

#include <cstdint>
#include <filesystem>

struct stat;

namespace sg {

/// Which file, in which state: two equal identities mean that the bytes have not been replaced, as far as the file
/// system tells.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< nanoseconds since 1970, UTC

    static FileIdentity from(const struct stat &status);
    bool operator==(const FileIdentity &) const = default;
};

/// Whether the folder holds a model_index.json: then it is one model, in parts.
bool isModelFolder(const std::filesystem::path &path);

/// Follows links. Of a model folder: its device and inode, the size of its files together and the last change.
/// Errors  NotFound; UnusableFile for what is neither a regular file nor a model folder.
Expected<FileIdentity> fileIdentity(const std::filesystem::path &path);

}  // namespace sg
