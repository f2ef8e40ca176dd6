#include "core/storage/unique_fd.h"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace sg {

UniqueFd::~UniqueFd()
{
    if (m_fd >= 0) ::close(m_fd);
}

Unexpected systemError(std::string_view call, std::string_view subject)
{
    const int error = errno;
    ErrorCode code = ErrorCode::Internal;
    if (error == ENOSPC || error == EDQUOT) code = ErrorCode::DiskFull;
    if (error == ENOENT) code = ErrorCode::NotFound;
    return fail(code, std::string(call) + " " + std::string(subject) + ": " + std::strerror(error),
                std::string(subject));
}

Expected<void> writeAll(int fd, std::string_view bytes, std::string_view subject)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return systemError("write", subject);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Expected<std::string> readAll(int fd, std::size_t limit, std::string_view subject)
{
    struct stat status {};
    if (::fstat(fd, &status) != 0) return systemError("stat", subject);
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::NotFound, "not a regular file: " + std::string(subject), std::string(subject));
    if (static_cast<std::size_t>(status.st_size) > limit)
        return fail(ErrorCode::TooLarge, std::string(subject) + " is larger than " + std::to_string(limit) + " bytes",
                    std::string(subject));
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::read(fd, bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return systemError("read", subject);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace sg
