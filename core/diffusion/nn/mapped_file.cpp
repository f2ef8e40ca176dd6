#include "core/diffusion/nn/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace sg::nn {
namespace {

/// What is asked of the disk at once: a few parts a second also from a bad network share.
constexpr std::size_t kPart = 4u << 20;

}  // namespace

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

/// Whether the byte can be had without the disk; false also where the file system cannot tell.
bool MappedFile::inMemory(std::size_t offset) const
{
    char byte = 0;
    const iovec place{&byte, 1};
    return ::preadv2(m_fd, &place, 1, static_cast<off_t>(offset), RWF_NOWAIT) == 1;
}

void MappedFile::prefetch(const std::function<void(std::size_t)> &watch) const
{
    for (std::size_t at = 0; at < m_size; at += kPart) {
        const std::size_t bytes = std::min(kPart, m_size - at);
        ::madvise(m_data + at, bytes, MADV_WILLNEED);
        watch(at + bytes);
    }
}

void MappedFile::await(std::size_t offset, std::size_t bytes, const std::function<void()> &alive) const
{
    const std::size_t end = std::min(offset + bytes, m_size);
    for (std::size_t at = offset / kPart * kPart; at < end; at += kPart) {
        if (inMemory(std::max(at, offset))) continue;
        // Where the kernel is too old for it, the bytes are read when they are used.
        ::madvise(m_data + at, std::min(kPart, m_size - at), MADV_POPULATE_READ);
        if (alive) alive();
    }
}

std::function<void()> readAhead(const std::vector<std::shared_ptr<const MappedFile>> &files, const std::string &subject,
                                const std::stop_token &stop, const LoadWatch &watch)
{
    std::uint64_t total = 0, before = 0;
    for (const auto &file : files)
        total += file->size();
    for (const auto &file : files) {
        file->prefetch([&](std::size_t bytes) {
            if (stop.stop_requested()) throw Failure{Error{ErrorCode::Cancelled, "loading was cancelled", subject}};
            if (watch) watch(before + bytes, total);
        });
        before += file->size();
    }
    if (!watch) return {};
    return [watch, total] { watch(total, total); };
}

}  // namespace sg::nn
