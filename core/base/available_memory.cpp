#include "core/base/available_memory.h"

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace sg {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// A file that is one number; `otherwise` where it is none ("max") or not there.
std::uint64_t numberIn(const std::filesystem::path &path, std::uint64_t otherwise)
{
    std::ifstream file(path);
    std::uint64_t number = 0;
    return file >> number ? number : otherwise;
}

/// The number behind a name in a file of "name number" lines.
std::uint64_t numberNamed(const std::filesystem::path &path, const std::string &wanted)
{
    std::ifstream file(path);
    for (std::string line, name; std::getline(file, line);) {
        std::istringstream fields(line);
        std::uint64_t number = 0;
        if (fields >> name >> number && name == wanted) return number;
    }
    return 0;
}

/// What the names of one version of control groups are.
struct Names {
    const char *limit, *used, *active, *inactive;
};
constexpr Names kFirst{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file", "total_inactive_file"};
constexpr Names kSecond{"memory.max", "memory.current", "active_file", "inactive_file"};

/// Room in the group and in those that it is in. Pages of files count as used there, but can be had.
std::uint64_t roomIn(const std::filesystem::path &root, std::filesystem::path group, const Names &names)
{
    std::uint64_t room = kNoLimit;
    for (group = group.relative_path();; group = group.parent_path()) {
        const std::filesystem::path folder = group.empty() ? root : root / group;
        const std::uint64_t limit = numberIn(folder / names.limit, kNoLimit);
        if (limit < kNoLimit) {
            const std::uint64_t used = numberIn(folder / names.used, 0);
            const std::uint64_t files =
                numberNamed(folder / "memory.stat", names.active) + numberNamed(folder / "memory.stat", names.inactive);
            const std::uint64_t held = used - std::min(used, files);
            room = std::min(room, limit - std::min(limit, held));
        }
        if (group.empty()) return room;
    }
}

/// Of the heap's pages that are in memory, what nobody uses.
std::uint64_t freeInHeap()
{
    const struct mallinfo2 heap = ::mallinfo2();
    const std::uint64_t held = numberNamed("/proc/self/status", "RssAnon:") << 10;
    const std::uint64_t used = heap.uordblks + heap.hblkhd;
    return std::min<std::uint64_t>(held - std::min(held, used), heap.fordblks);
}

}  // namespace

std::uint64_t availableMemory(const std::filesystem::path &proc, const std::filesystem::path &groups)
{
    std::uint64_t room = numberNamed(proc / "meminfo", "MemAvailable:") << 10;
    std::ifstream list(proc / "self/cgroup");
    for (std::string line; std::getline(list, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string kinds = "," + line.substr(first + 1, second - first - 1) + ",",
                          group = line.substr(second + 1);
        if (kinds == ",,")
            room = std::min({room, roomIn(groups, group, kSecond), roomIn(groups / "unified", group, kSecond)});
        else if (kinds.find(",memory,") != std::string::npos)
            room = std::min(room, roomIn(groups / "memory", group, kFirst));
    }
    return room;
}

std::uint64_t availableMemory()
{
    return availableMemory("/proc", "/sys/fs/cgroup") + freeInHeap();
}

}  // namespace sg
