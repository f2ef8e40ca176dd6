#pragma once

#include "core/base/expected.h"

#include <string>
#include <string_view>
#include <utility>

namespace sg {

/// A file descriptor with one owner; closed when that goes.
class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : m_fd(fd) {}
    UniqueFd(UniqueFd &&other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    UniqueFd &operator=(UniqueFd &&other) noexcept
    {
        std::swap(m_fd, other.m_fd);
        return *this;
    }
    UniqueFd(const UniqueFd &) = delete;
    UniqueFd &operator=(const UniqueFd &) = delete;
    ~UniqueFd();

    int get() const { return m_fd; }
    explicit operator bool() const { return m_fd >= 0; }

private:
    int m_fd = -1;
};

/// The Error for a failed system call, read from errno: DiskFull for ENOSPC and EDQUOT, NotFound for ENOENT, else
/// Internal.
Unexpected systemError(std::string_view call, std::string_view subject);

/// Writes all bytes, however often the kernel takes only some.
Expected<void> writeAll(int fd, std::string_view bytes, std::string_view subject);

/// Reads to the end of a regular file. Errors  TooLarge beyond `limit`.
Expected<std::string> readAll(int fd, std::size_t limit, std::string_view subject);

}  // namespace sg
