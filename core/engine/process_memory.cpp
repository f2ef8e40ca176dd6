#include "core/engine/process_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
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

namespace {

/// A line "name: kibibytes kB" of /proc/meminfo, in bytes.
std::uint64_t systemMemory(const std::string &wanted)
{
    std::ifstream file("/proc/meminfo");
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        std::string name;
        std::uint64_t kibibytes = 0;
        if (fields >> name >> kibibytes && name == wanted) return kibibytes << 10;
    }
    return 0;
}

/// A number of this process's control group (version 2); nothing where there is no limit.
std::optional<std::uint64_t> groupMemory(const std::string &file)
{
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        for (const std::string &folder : {line.substr(3), std::string("/")}) {
            std::ifstream numbers("/sys/fs/cgroup" + folder + "/" + file);
            std::string name;
            std::uint64_t bytes = 0;
            if (file == "memory.stat") numbers >> name;  // its first line is what is anonymous
            if (numbers >> bytes) return bytes;
        }
    }
    return std::nullopt;
}

}  // namespace

std::uint64_t totalMemory()
{
    const std::uint64_t total = systemMemory("MemTotal:");
    return std::min(total, groupMemory("memory.max").value_or(total));
}

std::uint64_t availableMemory()
{
    const std::uint64_t available = systemMemory("MemAvailable:");
    const std::optional<std::uint64_t> most = groupMemory("memory.max"), used = groupMemory("memory.stat");
    if (!most || !used) return available;
    return std::min(available, *most - std::min(*most, *used));
}

}  // namespace sg::engine
