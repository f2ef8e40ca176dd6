#pragma once

#include "core/base/expected.h"
#include "core/modelfile/byte_source.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// A file inside an archive: stored as it is, so that its bytes can be read or mapped where they lie.
struct ZipEntry {
    std::string name;
    std::uint64_t offset = 0;  ///< of its first byte, from the start of the archive
    std::uint64_t size = 0;
    std::uint32_t crc32 = 0;
};

/// Reads the central directory of an archive as torch.save writes it, and checks every entry's local header against it.
/// Takes stored entries only; zip64 is understood. Reads headers and names, no contents.
/// Errors  UnusableFile with the rule that is broken: compressed or encrypted entries, names that leave the archive or
///         come twice, sizes and places that lie, overlaps, bytes before, between or after the archive's own parts.
Expected<std::vector<ZipEntry>> readZipDirectory(const ByteSource &source);

/// The checksum that zip archives carry.
std::uint32_t zipChecksum(std::string_view bytes);

}  // namespace sg
