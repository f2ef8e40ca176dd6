#pragma once

#include <cstdint>

namespace sg::engine {

/// What this process holds, in bytes, from /proc/self/status.
struct ProcessMemory {
    std::uint64_t resident = 0;   ///< VmRSS: with the pages of mapped files
    std::uint64_t anonymous = 0;  ///< RssAnon: what the process itself allocated
    std::uint64_t peak = 0;       ///< VmHWM
};

ProcessMemory processMemory();

/// What this machine, or the container that the process is in, could give without swapping, in bytes: pages of files
/// count as free. 0: it cannot be told.
std::uint64_t availableMemory();
/// All of it.
std::uint64_t totalMemory();

}  // namespace sg::engine
