#include "core/diffusion/nn/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sg::nn {

Expected<std::shared_ptr<MappedFile>> MappedFile::open(const std::filesystem::path &path, const FileIdentity &expected)
{
    const std::shared_ptr<MappedFile> file(new MappedFile);
    file->m_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file->m_fd < 0)
        return fail(errno == ENOENT ? ErrorCode::NotFound : ErrorCode::UnusableFile, std::strerror(errno), path);
    struct stat status {};
    if (::fstat(file->m_fd, &status) != 0) return fail(ErrorCode::UnusableFile, std::strerror(errno), path);
    file->m_identity = FileIdentity::from(status);
    if (!(file->m_identity == expected))
        return fail(ErrorCode::ModelChanged, "the model file changed while it was being opened", path);
    file->m_size = static_cast<std::size_t>(status.st_size);
    // Writable, so that weights can be edited in place; private, so that the file never is.
    void *data = ::mmap(nullptr, file->m_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file->m_fd, 0);
    if (data == MAP_FAILED) return fail(ErrorCode::UnusableFile, std::strerror(errno), path);
    file->m_data = static_cast<std::byte *>(data);
    return file;
}

MappedFile::~MappedFile()
{
    if (m_data) ::munmap(m_data, m_size);
    if (m_fd >= 0) ::close(m_fd);
}

bool MappedFile::unchanged() const
{
    struct stat status {};
    return ::fstat(m_fd, &status) == 0 && FileIdentity::from(status) == m_identity;
}

void MappedFile::prefetch() const
{
    ::madvise(m_data, m_size, MADV_WILLNEED);
}

}  // namespace sg::nn
