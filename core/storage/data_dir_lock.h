#pragma once

#include "core/base/expected.h"

#include <filesystem>
#include <memory>

namespace sg {

/// The right to use a data folder: one process at a time, shared by all its parts; given back when the last handle
/// goes. A process that was killed holds nothing: the next one takes over. Thread  acquire() may be called from any
/// thread.
class DataDirLock {
public:
    /// Makes the folder when it is not there. Errors  Conflict, with the PID of the process that uses it; Internal when
    /// it cannot be made or written.
    static Expected<std::shared_ptr<DataDirLock>> acquire(const std::filesystem::path &folder);

    ~DataDirLock();

private:
    DataDirLock();
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace sg
