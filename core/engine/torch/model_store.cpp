#include "core/engine/torch/model_store.h"

#include "core/base/log.h"
#include "core/base/or_throw.h"

#include <ATen/DeviceAccelerator.h>

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace sg::engine {
namespace {

/// Half precision in the file becomes single precision here, and sampling needs room as well.
constexpr double kRoomPerFileByte = 2.5;

/// What the system could give without swapping, in bytes.
double availableMemory()
{
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    double kibibytes = 0;
    while (file >> name >> kibibytes) {
        std::getline(file, unit);
        if (name == "MemAvailable:") return kibibytes * 1024;
    }
    return 0;
}

}  // namespace

std::shared_ptr<ModelStore::Resident> ModelStore::get(const std::string &path, std::stop_token stop,
                                                      const LoadWatch &watch)
{
    const FileIdentity identity = orThrow(fileIdentity(path));
    const auto held = std::find_if(m_residents.begin(), m_residents.end(),
                                   [&](const auto &resident) { return resident->path == path; });
    if (held != m_residents.end() && (*held)->identity == identity) {
        m_residents.splice(m_residents.begin(), m_residents, held);
        return m_residents.front();
    }
    if (held != m_residents.end()) {
        logWarning("engine", "the model's file has changed and is loaded again: " + path);
        unload(path);
    }
    makeRoom(identity);
    std::shared_ptr<Checkpoint> checkpoint = loadCheckpoint(path, m_device, m_dtype, std::move(stop), watch);
    m_residents.push_front(std::make_shared<Resident>(Resident{path, identity, std::move(checkpoint), {}, {}, {}}));
    publish();
    return m_residents.front();
}

/// Lets the least recently used go while another model would not fit beside it.
void ModelStore::makeRoom(const FileIdentity &file)
{
    if (!m_device.is_cpu() || m_residents.empty()) return;
    giveBackMemory();  // the heap's free part counts as available only then
    while (!m_residents.empty() && availableMemory() < kRoomPerFileByte * static_cast<double>(file.size)) {
        const std::string oldest = m_residents.back()->path;
        logInfo("engine", "made room: " + oldest + " was unloaded");
        unload(oldest);
    }
}

void ModelStore::unload(const std::optional<std::string> &path)
{
    m_residents.remove_if([wanted = path](const auto &resident) { return !wanted || resident->path == *wanted; });
    publish();
    giveBackMemory();
}

void ModelStore::giveBackMemory()
{
    if (!m_device.is_cpu()) at::accelerator::emptyCache();
    malloc_trim(0);
}

void ModelStore::publish()
{
    std::vector<ResidentModel> list;
    for (const auto &resident : m_residents)
        list.push_back({resident->path, resident->checkpoint->bytes + resident->vae.bytes() +
                                            (resident->adapters ? resident->adapters->bytes() : 0)});
    const std::lock_guard lock(m_mutex);
    m_published = std::move(list);
}

std::vector<ResidentModel> ModelStore::residents() const
{
    const std::lock_guard lock(m_mutex);
    return m_published;
}

}  // namespace sg::engine
