#pragma once

#include "core/base/expected.h"
#include "core/modelfile/file_identity.h"

#include <cstddef>
#include <filesystem>
#include <memory>

namespace sg::nn {

/// A model file's bytes in memory, private to this process: what is written there never reaches the file.
/// A file that is cut short under the mapping ends the process at the next read (SIGBUS): one attempt fails.
class MappedFile {
public:
    /// Errors  NotFound, UnusableFile; ModelChanged when the file is not the `expected` one.
    static Expected<std::shared_ptr<MappedFile>> open(const std::filesystem::path &path, const FileIdentity &expected);
    ~MappedFile();
    MappedFile(const MappedFile &) = delete;
    MappedFile &operator=(const MappedFile &) = delete;

    std::byte *data() const { return m_data; }
    std::size_t size() const { return m_size; }
    /// Whether the file still is what it was when it was mapped, as far as the file system tells.
    bool unchanged() const;
    /// Asks the system to read the file ahead, in the order in which it lies on the disk.
    void prefetch() const;

private:
    MappedFile() = default;
    int m_fd = -1;
    std::byte *m_data = nullptr;
    std::size_t m_size = 0;
    FileIdentity m_identity;
};

}  // namespace sg::nn
