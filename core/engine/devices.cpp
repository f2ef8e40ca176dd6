#include "core/engine/devices.h"

#include <dlfcn.h>
#include <unistd.h>

#include <fstream>

namespace sg::engine {
namespace {

Device cpu()
{
    Device device{.id = "cpu", .name = "CPU", .kind = "cpu"};
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("model name")) continue;
        const std::size_t colon = line.find(": ");
        if (colon != std::string::npos) device.name = line.substr(colon + 2);
        break;
    }
    device.memory =
        static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return device;
}

template <class Function>
Function *symbol(void *library, const char *name)
{
    return reinterpret_cast<Function *>(dlsym(library, name));
}

/// The driver's own C interface: it needs neither a toolkit nor torch.
void appendGpus(std::vector<Device> &devices)
{
    if (access("/dev/nvidia0", F_OK) != 0) return;
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!driver) return;
    const auto init = symbol<int(unsigned)>(driver, "cuInit");
    const auto count = symbol<int(int *)>(driver, "cuDeviceGetCount");
    const auto get = symbol<int(int *, int)>(driver, "cuDeviceGet");
    const auto name = symbol<int(char *, int, int)>(driver, "cuDeviceGetName");
    const auto memory = symbol<int(std::size_t *, int)>(driver, "cuDeviceTotalMem_v2");
    int gpus = 0;
    if (!init || !count || !get || !name || !memory || init(0) != 0 || count(&gpus) != 0) return;
    for (int ordinal = 0; ordinal < gpus; ++ordinal) {
        int handle = 0;
        char text[128] = "";
        std::size_t bytes = 0;
        if (get(&handle, ordinal) != 0 || name(text, sizeof text, handle) != 0 || memory(&bytes, handle) != 0) continue;
        devices.push_back({"cuda:" + std::to_string(ordinal), text, "cuda", bytes});
    }
}

}  // namespace

std::vector<Device> listDevices()
{
    std::vector<Device> devices{cpu()};
    appendGpus(devices);
    return devices;
}

}  // namespace sg::engine
