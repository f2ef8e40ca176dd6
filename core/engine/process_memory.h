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

}  // namespace sg::engine
