#pragma once

#include "core/diffusion/adapters/adapter_set.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/external_vae.h"
#include "core/diffusion/pipeline/memory_plan.h"
#include "core/engine/backend.h"
#include "core/modelfile/file_identity.h"

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::engine {

/// The checkpoints that this engine holds, each with its text encoders, its VAE from elsewhere and its LoRAs, under a
/// budget of bytes. What the scheduler wants is done: it keeps what it was told to load until it is told to unload, or
/// until room is needed; then what costs least to bring back goes first (docs/decisions/residency.md).
/// Thread  the one that computes, except residents() and the budget.
class ModelStore {
public:
    struct Resident {
        std::string path;
        FileIdentity identity;
        std::shared_ptr<Checkpoint> checkpoint;
        Conditioner conditioner;
        std::unique_ptr<adapters::AdapterSet> adapters = {};  ///< once a LoRA was wanted
        ExternalVae vae = {};
        PreviewVae preview = {};
        double loadSeconds = 0, vaeSeconds = 0, loraSeconds = 0,
               previewSeconds = 0;  ///< what it took to bring them here
        std::uint64_t lastUse = 0;  ///< counted by the store
        bool told = false;          ///< whether somebody was told what reading it brought to light
        std::string name() const;   ///< the file's
        std::uint64_t bytes() const;
        std::uint64_t mapped() const { return checkpoint->mapped + vae.mapped(); }
        std::uint64_t own() const { return bytes() - mapped(); }
    };
    ModelStore(torch::Device device, torch::ScalarType dtype, std::uint64_t budget)
        : m_device(device), m_dtype(dtype), m_budget(budget)
    {
    }

    const torch::Device &device() const { return m_device; }
    /// The model, loaded when it is not held or when its file has changed since. Who holds it may go on using it after
    /// it was unloaded, and nothing of it is evicted. Errors  throws Failure as loadCheckpoint, and what torch throws.
    /// `residence`: whether a task wants all of it at once; what an earlier one let go comes back then.
    std::shared_ptr<Resident> get(const std::string &path, std::stop_token stop, const LoadWatch &watch,
                                  Residence residence = Residence::Whole);
    bool holds(const std::string &path) const;
    /// What the user chose for a model; get() loads it again when that is not what it was loaded with.
    void choose(const std::string &path, const ModelChoices &choices) { m_choices[path] = choices; }
    void unload(const std::optional<std::string> &path);
    /// What the header says of a checkpoint and what of it is held. Errors  throws Failure as readModelFile.
    PlannedModel describe(const std::string &path);
    /// Puts a VAE of another file in the place of its own. Errors  as describe, and of plannedVae.
    void addVae(PlannedModel &model, const std::string &path, const std::string &vae);
    /// Adds what merging these LoRAs changes. One that cannot be read adds nothing: its merging will say why.
    void addLoras(PlannedModel &model, const std::string &path, const std::vector<NamedFile> &loras);
    /// Of a checkpoint's previews' autoencoder, what is held.
    std::uint64_t previewBytes(const std::string &path) const;
    /// A task's checkpoints, and whether it names LoRAs, a VAE of their own and previews by a tiny one.
    struct Use {
        std::vector<std::string> paths;
        bool loras = false, vae = false, previews = false;
    };
    /// What a run may take beside what it holds already, when all others go.
    PlanPlace placeFor(const Use &use) const;
    /// Evicts until so many bytes are free, or nothing is left that nobody uses.
    void makeRoom(std::uint64_t bytes);
    /// Models that go last.
    void keep(const std::vector<std::string> &paths) { m_kept = {paths.begin(), paths.end()}; }

    /// Of models and runs together; 0: what the device has, but for a reserve. Thread  any.
    void setBudget(std::uint64_t bytes) { m_budget = bytes; }
    std::uint64_t budget() const { return m_budget; }

    /// Gives what freed tensors left behind back to the system.
    void giveBackMemory();
    std::vector<ResidentModel> residents() const;
    /// After a resident's LoRAs or VAE changed.
    void publish();

private:
    struct Description {
        FileIdentity identity;
        ModelChoices choices;
        PlannedModel model;
    };
    struct Candidate;
    struct VaeDescription {
        FileIdentity identity;
        PlannedVae vae;
    };
    struct Reach {
        std::vector<FileIdentity> files;  ///< the checkpoint's and the LoRAs'
        ModelChoices choices;
        std::uint64_t bytes = 0;
    };
    const PlannedModel &described(const std::string &path, const FileIdentity &identity, const ModelChoices &choices);
    std::uint64_t freeOnDevice() const;
    std::int64_t room() const;
    std::vector<Candidate> candidates() const;

    torch::Device m_device;
    torch::ScalarType m_dtype;
    std::atomic<std::uint64_t> m_budget;
    std::map<std::string, ModelChoices> m_choices;
    std::list<std::shared_ptr<Resident>> m_residents;  // most recently used first
    std::map<std::string, Description> m_descriptions;
    std::map<std::string, VaeDescription> m_vaeDescriptions;
    std::map<std::string, Reach> m_reaches;  // of the last LoRAs that were wanted of a checkpoint
    std::set<std::string> m_kept;
    std::uint64_t m_uses = 0;
    mutable std::mutex m_mutex;
    std::vector<ResidentModel> m_published;
};

}  // namespace sg::engine
