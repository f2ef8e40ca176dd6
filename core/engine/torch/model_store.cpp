#include "core/engine/torch/model_store.h"

#include "core/base/available_memory.h"
#include "core/base/log.h"
#include "core/base/or_throw.h"
#include "core/diffusion/vae/fitting.h"
#include "core/modelfile/adapter_reach.h"
#include "core/modelfile/key_dialect.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/sidecar.h"

#include <ATen/DeviceAccelerator.h>

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <utility>

namespace sg::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kDescriptions = 64;
/// What the device keeps for others, unless a budget says otherwise: this, or a share of all of it.
constexpr std::uint64_t kReserve = 512u << 20;
constexpr std::uint64_t kReserveShare = 20;
/// What comes back at once is not for free: reading it takes at least this long.
constexpr double kSecondsPerByte = 1.0 / 4e9;

/// For the log page: what the choice of family and prediction rests on, and what of the file belongs nowhere.
void logFindings(const ModelStore::Resident &model)
{
    for (const std::vector<std::string> *texts : {&model.checkpoint->config.reasons, &model.checkpoint->warnings})
        for (const std::string &text : *texts)
            logInfo("engine", model.name() + ": " + text);
}

std::vector<AdaptedPrefix> adaptedPrefixes(const CheckpointConfig &config)
{
    std::vector<AdaptedPrefix> networks{{AdapterNetwork::Unet, config.unetPrefix}};
    for (std::size_t i = 0; i < config.texts.size(); ++i)
        networks.push_back({i == 0 ? AdapterNetwork::Text : AdapterNetwork::Text2, config.texts[i].prefix});
    return networks;
}

double secondsSince(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// Something that can go.
struct ModelStore::Candidate {
    bool kept = false;
    double cost = 0;  ///< seconds to bring it back for each byte, the less the longer it was not used
    std::uint64_t bytes = 0;
    std::string what;
    std::function<void(ModelStore &)> evict;
};

std::string ModelStore::Resident::name() const
{
    return std::filesystem::path(path).filename().string();
}

std::uint64_t ModelStore::Resident::bytes() const
{
    return checkpoint->bytes + vae.bytes() + preview.bytes() + (adapters ? adapters->bytes() : 0);
}

std::shared_ptr<ModelStore::Resident> ModelStore::get(const std::string &path, std::stop_token stop,
                                                      const LoadWatch &watch, Residence residence)
{
    const FileIdentity identity = orThrow(fileIdentity(path));
    const auto held = std::find_if(m_residents.begin(), m_residents.end(),
                                   [&](const auto &resident) { return resident->path == path; });
    const ModelChoices &choices = m_choices[path];
    if (held != m_residents.end() && (*held)->identity == identity && (*held)->checkpoint->madeWith(path, choices)) {
        m_residents.splice(m_residents.begin(), m_residents, held);
        m_residents.front()->lastUse = ++m_uses;
        const std::shared_ptr<Resident> found = m_residents.front();  // nothing of it is evicted
        if (residence == Residence::Whole) {
            Checkpoint &checkpoint = *found->checkpoint;
            for (const CheckpointPart part : kCheckpointParts) {
                if (checkpoint.part(part).here) continue;
                makeRoom(checkpoint.part(part).bytes);
                checkpoint.bring(part, stop, watch);
            }
            publish();
        }
        return found;
    }
    if (held != m_residents.end()) {
        logWarning("engine",
                   "the model's file, its .yaml or what is chosen for it has changed, it is loaded again: " + path);
        unload(path);
    }
    const PlannedModel &planned = described(path, identity, choices);
    const std::uint64_t parts = planned.texts.weights + planned.unet.weights;
    makeRoom(residence == Residence::Whole
                 ? planned.weights
                 : planned.weights - parts + std::max(planned.texts.weights, planned.unet.weights));
    const Clock::time_point start = Clock::now();
    std::shared_ptr<Checkpoint> checkpoint =
        loadCheckpoint(path, m_device, m_dtype, std::move(stop), watch, choices, residence);
    auto made = std::make_shared<Resident>(Resident{path, identity, std::move(checkpoint), {}});
    made->loadSeconds = secondsSince(start);
    made->lastUse = ++m_uses;
    logFindings(*made);
    m_residents.push_front(std::move(made));
    publish();
    return m_residents.front();
}

bool ModelStore::holds(const std::string &path) const
{
    return std::any_of(m_residents.begin(), m_residents.end(),
                       [&](const auto &resident) { return resident->path == path; });
}

const PlannedModel &ModelStore::described(const std::string &path, const FileIdentity &identity,
                                          const ModelChoices &choices)
{
    const auto known = m_descriptions.find(path);
    if (known != m_descriptions.end() && known->second.identity == identity && known->second.choices == choices)
        return known->second.model;
    const TensorIndex index = canonicalNames(orThrow(readModelFile(path)));
    CheckpointConfig config = CheckpointConfig::detect(index, orThrow(readSidecar(path)).value_or(Sidecar{}), choices);
    if (m_descriptions.size() >= kDescriptions) m_descriptions.clear();
    Description &made = m_descriptions[path];
    made = {identity, choices, plannedModel(index, std::move(config), m_device.is_cpu())};
    return made.model;
}

PlannedModel ModelStore::describe(const std::string &path)
{
    const FileIdentity identity = orThrow(fileIdentity(path));
    PlannedModel model = described(path, identity, m_choices[path]);
    for (const auto &resident : m_residents)
        if (resident->path == path && resident->identity == identity)
            model.held = resident->checkpoint->bytes - resident->checkpoint->mapped;
    return model;
}

void ModelStore::addVae(PlannedModel &model, const std::string &path, const std::string &vae)
{
    const FileIdentity identity = orThrow(fileIdentity(vae));
    const auto known = m_vaeDescriptions.find(vae);
    if (known == m_vaeDescriptions.end() || known->second.identity != identity) {
        PlannedVae planned = plannedVae(canonicalNames(orThrow(readModelFile(vae))), m_device.is_cpu());
        if (m_vaeDescriptions.size() >= kDescriptions) m_vaeDescriptions.clear();
        m_vaeDescriptions[vae] = {identity, std::move(planned)};
    }
    std::uint64_t held = 0;
    for (const auto &resident : m_residents)
        if (resident->path == path && resident->vae.path() == vae)
            held = resident->vae.bytes() - resident->vae.mapped();
    model = withVae(std::move(model), m_vaeDescriptions[vae].vae, held);
}

void ModelStore::addLoras(PlannedModel &model, const std::string &path, const std::vector<NamedFile> &loras)
{
    std::vector<FileIdentity> files{orThrow(fileIdentity(path))};
    for (const NamedFile &file : loras)
        files.push_back(fileIdentity(file.path).value_or(FileIdentity{}));
    if (m_reaches.size() >= kDescriptions) m_reaches.clear();
    Reach &reach = m_reaches[path];
    if (reach.files != files || reach.choices != m_choices[path]) {
        std::vector<TensorIndex> adapters;
        for (const NamedFile &file : loras)
            if (Expected<TensorIndex> adapter = readModelFile(file.path)) adapters.push_back(std::move(*adapter));
        const std::uint64_t numbers =
            adaptedNumbers(canonicalNames(orThrow(readModelFile(path))), adaptedPrefixes(model.config), adapters);
        const std::uint64_t numberBytes = m_device.is_cpu() ? sizeof(float) : sizeof(float) / 2;
        reach = {std::move(files), m_choices[path], numbers * numberBytes};
    }
    model.adapted = true;
    model.merged = reach.bytes;
    for (const auto &resident : m_residents)
        if (resident->path == path && resident->adapters)
            model.held += std::min<std::uint64_t>(model.merged, resident->adapters->bytes());
}

std::uint64_t ModelStore::previewBytes(const std::string &path) const
{
    for (const auto &resident : m_residents)
        if (resident->path == path) return resident->preview.bytes();
    return 0;
}

/// What could be given to tensors now. On the CPU pages of files count as free.
std::uint64_t ModelStore::freeOnDevice() const
{
    const std::uint64_t free = coding::freeOn(m_device);
    const std::uint64_t total =
        m_device.is_cpu() ? totalMemory() : at::accelerator::getMemoryInfo(m_device.index()).second;
    const std::uint64_t reserve = std::max<std::uint64_t>(kReserve, total / kReserveShare);
    return free > reserve ? free - reserve : 0;
}

/// What is left for another model, beside those that are held.
std::int64_t ModelStore::room() const
{
    std::uint64_t bytes = 0, mapped = 0;
    for (const auto &resident : m_residents) {
        bytes += resident->bytes();
        mapped += resident->mapped();
    }
    const std::int64_t device = static_cast<std::int64_t>(freeOnDevice()) - static_cast<std::int64_t>(mapped);
    const std::uint64_t budget = m_budget;
    if (budget == 0) return device;
    return std::min(device, static_cast<std::int64_t>(std::min<std::uint64_t>(budget, INT64_MAX)) -
                                static_cast<std::int64_t>(bytes));
}

PlanPlace ModelStore::placeFor(const Use &use) const
{
    std::uint64_t held = 0, others = 0;
    for (const auto &resident : m_residents) {
        const std::uint64_t loras = resident->adapters ? resident->adapters->bytes() : 0;
        const std::uint64_t vae = resident->vae.bytes() - resident->vae.mapped(), preview = resident->preview.bytes();
        const std::uint64_t own = resident->own() - loras - vae - preview;
        const bool named = std::find(use.paths.begin(), use.paths.end(), resident->path) != use.paths.end();
        (named ? held : others) += own;
        // What the last task put there goes when this one does not want it.
        (named && use.loras ? held : others) += loras;
        (named && use.vae ? held : others) += vae;
        (named && use.previews ? held : others) += preview;
    }
    const std::uint64_t device = freeOnDevice() + others, budget = m_budget;
    if (budget == 0) return {m_device.is_cpu(), device};
    return {m_device.is_cpu(), std::min(device, budget > held ? budget - held : 0)};
}

std::vector<ModelStore::Candidate> ModelStore::candidates() const
{
    std::vector<Candidate> list;
    for (const auto &resident : m_residents) {
        if (resident.use_count() > 1) continue;  // a task uses it
        const auto age = static_cast<double>(1 + m_uses - resident->lastUse);
        const auto add = [&](double seconds, std::uint64_t bytes, const char *what, auto evict) {
            if (bytes == 0) return;
            const double perByte = std::max(seconds / static_cast<double>(bytes), kSecondsPerByte);
            list.push_back({m_kept.contains(resident->path), perByte / age, bytes, what + resident->path, evict});
        };
        Resident *const one = resident.get();
        add(one->loraSeconds, one->adapters ? one->adapters->bytes() : 0, "the LoRAs of ", [one](ModelStore &) {
            (void)one->adapters->apply({});
            one->adapters.reset();
            one->conditioner.forget();
        });
        add(one->vaeSeconds, one->vae.bytes(), "the other VAE of ",
            [one](ModelStore &) { one->vae.use(*one->checkpoint, std::nullopt, {}); });
        add(one->previewSeconds, one->preview.bytes(), "the previews' autoencoder of ",
            [one](ModelStore &) { one->preview.drop(); });
        add(one->loadSeconds, one->checkpoint->bytes, "",
            [path = one->path](ModelStore &store) { store.unload(path); });
    }
    return list;
}

void ModelStore::makeRoom(std::uint64_t bytes)
{
    const auto wanted = static_cast<std::int64_t>(std::min<std::uint64_t>(bytes, INT64_MAX));
    if (room() >= wanted) return;
    giveBackMemory();  // the heap's free part counts as available only then
    while (room() < wanted) {
        std::vector<Candidate> all = candidates();
        const auto least = std::min_element(all.begin(), all.end(), [](const Candidate &a, const Candidate &b) {
            return std::pair(a.kept, a.cost) < std::pair(b.kept, b.cost);
        });
        if (least == all.end()) return;
        least->evict(*this);
        publish();
        giveBackMemory();
        logInfo("engine",
                "made room: " + least->what + " was unloaded, " + std::to_string(least->bytes >> 20) + " MiB");
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
        list.push_back({resident->path, resident->bytes(), resident->mapped(), resident->vae.bytes(),
                        resident->adapters ? resident->adapters->bytes() : 0});
    const std::lock_guard lock(m_mutex);
    m_published = std::move(list);
}

std::vector<ResidentModel> ModelStore::residents() const
{
    const std::lock_guard lock(m_mutex);
    return m_published;
}

}  // namespace sg::engine
