#include "core/storage/data_dir_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

namespace sg {
namespace {

std::mutex &registryMutex()
{
    static std::mutex mutex;
    return mutex;
}

std::map<std::filesystem::path, std::weak_ptr<DataDirLock>> &registry()
{
    static std::map<std::filesystem::path, std::weak_ptr<DataDirLock>> locks;
    return locks;
}

/// "process 12 on host"
std::string ownerOf(const std::filesystem::path &file)
{
    std::ifstream in(file);
    long pid = 0;
    std::string host;
    if (!(in >> pid >> host)) return "another process";
    return "process " + std::to_string(pid) + " on " + host;
}

}  // namespace

/// A file that this process has locked. The kernel gives the lock back when the process ends, however it ends; what
/// the file says about its owner is only for people (a PID means nothing in another container).
class DataDirLock::Private {
public:
    ~Private()
    {
        if (fd < 0) return;
        ::unlink(path.c_str());  // while it is still locked: who waits for this file finds that it is no longer the one
        ::close(fd);
    }

    /// 0, or errno; EWOULDBLOCK when another process holds it.
    int lock(const std::filesystem::path &file)
    {
        while (true) {
            const int opened = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
            if (opened < 0) return errno;
            struct stat held {
            }, named{};
            if (::flock(opened, LOCK_EX | LOCK_NB) != 0) {
                const int problem = errno;
                ::close(opened);
                return problem;
            }
            // Its owner may have removed it between open() and flock().
            if (::fstat(opened, &held) == 0 && ::stat(file.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
                held.st_dev == named.st_dev) {
                fd = opened;
                path = file;
                return 0;
            }
            ::close(opened);
        }
    }

    void sign() const
    {
        std::array<char, 256> host{};
        ::gethostname(host.data(), host.size() - 1);
        const std::string text = std::to_string(::getpid()) + "\n" + host.data() + "\n";
        // Whoever cannot read it learns less; the lock holds all the same.
        if (::ftruncate(fd, 0) == 0 && ::pwrite(fd, text.data(), text.size(), 0) < 0) return;
    }

    int fd = -1;
    std::filesystem::path path;
};

DataDirLock::DataDirLock() : d(std::make_unique<Private>()) {}
DataDirLock::~DataDirLock() = default;

Expected<std::shared_ptr<DataDirLock>> DataDirLock::acquire(const std::filesystem::path &folder)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Internal, "cannot make the data folder " + folder.string() + ": " + error.message(),
                    folder.string());
    const std::filesystem::path real = std::filesystem::canonical(folder, error);
    if (error)
        return fail(ErrorCode::Internal, "cannot open the data folder " + folder.string() + ": " + error.message(),
                    folder.string());

    const std::lock_guard guard(registryMutex());
    if (std::shared_ptr<DataDirLock> held = registry()[real].lock()) return held;
    std::shared_ptr<DataDirLock> lock(new DataDirLock);
    const std::filesystem::path file = real / "serigraph.lock";
    const int problem = lock->d->lock(file);
    if (problem == EWOULDBLOCK)
        return fail(ErrorCode::Conflict, "the data folder " + real.string() + " is in use by " + ownerOf(file),
                    real.string());
    if (problem != 0)
        return fail(ErrorCode::Internal,
                    "the data folder " + real.string() + " cannot be locked: " + std::strerror(problem), real.string());
    lock->d->sign();
    registry()[real] = lock;
    return lock;
}

}  // namespace sg
