#include "core/modelfile/file_identity.h"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace sg {

FileIdentity FileIdentity::from(const struct stat &status) {
    return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
            static_cast<std::uint64_t>(status.st_size),
            static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec};
}

Expected<FileIdentity> fileIdentity(const std::filesystem::path &path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return fail(absent ? ErrorCode::NotFound : ErrorCode::UnusableFile, std::strerror(errno), path.string());
    }
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::UnusableFile, "is not a regular file", path.string());
    return FileIdentity::from(status);
}

}  // namespace sg
