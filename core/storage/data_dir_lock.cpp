#include "core/storage/data_dir_lock.h"

#include <QLockFile>
#include <QString>

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

}  // namespace

class DataDirLock::Private {
public:
    std::unique_ptr<QLockFile> file;
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
    lock->d->file = std::make_unique<QLockFile>(QString::fromStdString((real / "serigraph.lock").string()));
    lock->d->file->setStaleLockTime(0);
    if (!lock->d->file->tryLock(0)) {
        qint64 pid = 0;
        QString host, program;
        if (lock->d->file->error() == QLockFile::LockFailedError && lock->d->file->getLockInfo(&pid, &host, &program))
            return fail(ErrorCode::Conflict,
                        "the data folder " + real.string() + " is in use by process " + std::to_string(pid) + " (" +
                            program.toStdString() + " on " + host.toStdString() + ")",
                        real.string());
        if (lock->d->file->error() == QLockFile::LockFailedError)
            return fail(ErrorCode::Conflict, "the data folder " + real.string() + " is in use by another process",
                        real.string());
        return fail(ErrorCode::Internal, "the data folder " + real.string() + " cannot be written", real.string());
    }
    registry()[real] = lock;
    return lock;
}

}  // namespace sg
