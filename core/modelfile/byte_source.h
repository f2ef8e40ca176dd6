#pragma once

#include "core/base/expected.h"
#include "core/modelfile/file_identity.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace sg {

/// Bytes that can be read at any place: a file, or memory.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    virtual std::uint64_t size() const = 0;
    /// False when not all `count` bytes could be read.
    virtual bool read(char *to, std::size_t count, std::uint64_t offset) const = 0;
    /// Errors  UnusableFile when the range is not there.
    Expected<std::string> text(std::uint64_t offset, std::size_t count) const;
};

/// A text that stays where it is.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(std::string_view bytes) : m_bytes(bytes) {}
    std::uint64_t size() const override { return m_bytes.size(); }
    bool read(char *to, std::size_t count, std::uint64_t offset) const override;

private:
    std::string_view m_bytes;
};

/// A regular file, read with pread and never mapped. Opening never blocks.
class FileSource final : public ByteSource {
public:
    /// Errors  NotFound; UnusableFile for what cannot be read or is no regular file; subject = the path.
    static Expected<FileSource> open(const std::filesystem::path &path);
    FileSource(FileSource &&other) noexcept;
    FileSource &operator=(FileSource &&) = delete;
    ~FileSource() override;

    std::uint64_t size() const override { return m_identity.size; }
    bool read(char *to, std::size_t count, std::uint64_t offset) const override;
    const FileIdentity &identity() const { return m_identity; }

private:
    FileSource(int descriptor, const FileIdentity &identity) : m_descriptor(descriptor), m_identity(identity) {}
    int m_descriptor;
    FileIdentity m_identity;
};

}  // namespace sg
