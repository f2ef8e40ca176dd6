#include "core/engine/process_memory.h"

#include <fstream>
#include <sstream>
#include <string>

namespace sg::engine {

ProcessMemory processMemory()
{
    ProcessMemory memory;
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name;
        std::uint64_t kibibytes = 0;
        fields >> name >> kibibytes;
        if (name == "VmRSS:") memory.resident = kibibytes << 10;
        if (name == "RssAnon:") memory.anonymous = kibibytes << 10;
        if (name == "VmHWM:") memory.peak = kibibytes << 10;
    }
    return memory;
}

}  // namespace sg::engine
