#include "core/engine/backend_module.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <filesystem>

namespace sg::engine {
namespace {

std::filesystem::path findModule()
{
    std::error_code ignored;
    const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    const std::filesystem::path installed = folder / ".." / "lib" / "serigraph" / "serigraph-torch.so";
    return std::filesystem::exists(installed, ignored) ? installed : folder / "serigraph-torch.so";
}

/// Defaults that the user's own environment overrides.
void prepareEnvironment()
{
    setenv("THP_MEM_ALLOC_ENABLE", "1", 0);  // big tensors in huge pages: fresh 4 KiB pages are slow
    // Threads that wait for the others sleep instead of spinning: on a busy machine spinning made a step ten times
    // slower.
    setenv("OMP_WAIT_POLICY", "passive", 0);
}

}  // namespace

Expected<std::unique_ptr<Backend>> loadTorchBackend(const BackendOptions &options)
{
    prepareEnvironment();
    const std::filesystem::path path = findModule();
    void *module = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (!module)
        return fail(ErrorCode::EngineFailed, std::string("cannot load the torch module: ") + dlerror(), path.string());
    auto *const make = reinterpret_cast<MakeBackend *>(dlsym(module, "serigraphMakeBackend"));
    if (!make)
        return fail(ErrorCode::EngineFailed, std::string("the torch module is not ours: ") + dlerror(), path.string());
    Error error;
    std::unique_ptr<Backend> backend(make(options, error));
    if (!backend) return Unexpected{error};
    return backend;
}

}  // namespace sg::engine
