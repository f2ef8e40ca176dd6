#include "core/modelfile/file_identity.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace sg {

FileIdentity FileIdentity::from(const struct stat &status)
{
    return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
            static_cast<std::uint64_t>(status.st_size),
            static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

namespace {

constexpr std::size_t kMaxEntries = 1000;

/// The files of a folder, not those below it.
void addFiles(const std::filesystem::path &folder, FileIdentity &sum)
{
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end && ++count <= kMaxEntries;
         it.increment(error)) {
        struct stat status {};
        if (::stat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        const FileIdentity one = FileIdentity::from(status);
        sum.size += one.size;
        sum.modified = std::max(sum.modified, one.modified);
    }
}

}  // namespace

bool isModelFolder(const std::filesystem::path &path)
{
    struct stat status {};
    return ::stat((path / "model_index.json").c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Expected<FileIdentity> fileIdentity(const std::filesystem::path &path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return fail(absent ? ErrorCode::NotFound : ErrorCode::UnusableFile, std::strerror(errno), path.string());
    }
    if (S_ISDIR(status.st_mode) && isModelFolder(path)) {
        FileIdentity folder{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino), 0, 0};
        for (const char *part : {"", "unet", "vae", "text_encoder", "text_encoder_2", "scheduler"})
            addFiles(path / part, folder);
        return folder;
    }
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::UnusableFile, "is not a regular file", path.string());
    return FileIdentity::from(status);
}

}  // namespace sg
