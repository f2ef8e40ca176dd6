#pragma once

#include "core/base/expected.h"
#include "core/diffusion/nn/load_watch.h"
#include "core/modelfile/file_identity.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

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
    /// Asks the system to read the file ahead, in the order in which it lies on the disk. A slow disk makes this wait
    /// for it: `watch` is told after each part how many bytes have been asked for, and may throw to end it.
    void prefetch(const std::function<void(std::size_t)> &watch) const;
    /// Waits until these bytes have been read; `alive` is called after each part that was not in memory yet.
    void await(std::size_t offset, std::size_t bytes, const std::function<void()> &alive) const;

private:
    MappedFile() = default;
    bool inMemory(std::size_t offset) const;

    int m_fd = -1;
    std::byte *m_data = nullptr;
    std::size_t m_size = 0;
    FileIdentity m_identity;
};

/// Asks the system for the files, one after the other. Returns what tells `watch`, once all is asked for, that the
/// reading goes on: for MappedFile::await and after each piece of work; empty where nobody watches.
/// Errors  throws Failure Cancelled, with `subject`.
std::function<void()> readAhead(const std::vector<std::shared_ptr<const MappedFile>> &files, const std::string &subject,
                                const std::stop_token &stop, const LoadWatch &watch);

}  // namespace sg::nn
