#include "core/modelfile/byte_source.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace sg {

Expected<std::string> ByteSource::text(std::uint64_t offset, std::size_t count) const
{
    if (offset > size() || count > size() - offset)
        return fail(ErrorCode::UnusableFile, "bytes " + std::to_string(offset) + " and on are wanted, the file has " +
                                                 std::to_string(size()) + " (is it cut off?)");
    std::string bytes(count, '\0');
    if (!read(bytes.data(), count, offset))
        return fail(ErrorCode::UnusableFile, "could not be read: the file changed or the disk failed");
    return bytes;
}

bool MemorySource::read(char *to, std::size_t count, std::uint64_t offset) const
{
    if (offset > m_bytes.size() || count > m_bytes.size() - offset) return false;
    if (count > 0) std::memcpy(to, m_bytes.data() + offset, count);
    return true;
}

Expected<FileSource> FileSource::open(const std::filesystem::path &path)
{
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        return fail(absent ? ErrorCode::NotFound : ErrorCode::UnusableFile, std::strerror(errno), path.string());
    }
    struct stat status {};
    const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    FileSource source(descriptor, FileIdentity::from(status));
    if (!regular) return fail(ErrorCode::UnusableFile, "is not a regular file", path.string());
    return source;
}

FileSource::FileSource(FileSource &&other) noexcept
    : m_descriptor(std::exchange(other.m_descriptor, -1)), m_identity(other.m_identity)
{
}

FileSource::~FileSource()
{
    if (m_descriptor >= 0) ::close(m_descriptor);
}

bool FileSource::read(char *to, std::size_t count, std::uint64_t offset) const
{
    while (count > 0) {
        const ssize_t got = ::pread(m_descriptor, to, count, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got;
        offset += static_cast<std::uint64_t>(got);
        count -= static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace sg
