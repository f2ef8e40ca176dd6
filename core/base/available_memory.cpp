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

/// Calls use(folder, names) for the groups that this process is in and all that those are in, of both versions.
template <class Use>
void forEachGroup(const std::filesystem::path &proc, const std::filesystem::path &groups, Use use)
{
    const auto upwards = [&use](const std::filesystem::path &root, std::filesystem::path group, const Names &names) {
        for (group = group.relative_path(); !group.empty(); group = group.parent_path())
            use(root / group, names);
        use(root, names);
    };
    std::ifstream list(proc / "self/cgroup");
    for (std::string line; std::getline(list, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string kinds = "," + line.substr(first + 1, second - first - 1) + ",",
                          group = line.substr(second + 1);
        if (kinds == ",,") {
            upwards(groups, group, kSecond);
            upwards(groups / "unified", group, kSecond);
        } else if (kinds.find(",memory,") != std::string::npos) {
            upwards(groups / "memory", group, kFirst);
        }
    }
}

/// What the group may still take. Pages of files count as used there, but can be had.
std::uint64_t roomIn(const std::filesystem::path &group, const Names &names)
{
    const std::uint64_t limit = numberIn(group / names.limit, kNoLimit);
    if (limit == kNoLimit) return kNoLimit;
    const std::uint64_t used = numberIn(group / names.used, 0);
    const std::uint64_t files =
        numberNamed(group / "memory.stat", names.active) + numberNamed(group / "memory.stat", names.inactive);
    const std::uint64_t held = used - std::min(used, files);
    return limit - std::min(limit, held);
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
    forEachGroup(proc, groups,
                 [&room](const auto &group, const Names &names) { room = std::min(room, roomIn(group, names)); });
    return room;
}

std::uint64_t availableMemory()
{
    return availableMemory("/proc", "/sys/fs/cgroup") + freeInHeap();
}

std::uint64_t totalMemory(const std::filesystem::path &proc, const std::filesystem::path &groups)
{
    std::uint64_t total = numberNamed(proc / "meminfo", "MemTotal:") << 10;
    forEachGroup(proc, groups, [&total](const auto &group, const Names &names) {
        total = std::min(total, numberIn(group / names.limit, kNoLimit));
    });
    return total;
}

std::uint64_t totalMemory()
{
    return totalMemory("/proc", "/sys/fs/cgroup");
}

}  // namespace sg
