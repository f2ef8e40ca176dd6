#pragma once

#include "core/diffusion/adapters/adapter_set.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/diffusion/pipeline/conditioner.h"
#include "core/diffusion/pipeline/external_vae.h"
#include "core/engine/backend.h"
#include "core/modelfile/file_identity.h"

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::engine {

/// The checkpoints that this engine holds, by path. It keeps what it was told to load until it is told to unload, or
/// until another one would not fit beside it. Thread  the one that computes, except residents().
class ModelStore {
public:
    struct Resident {
        std::string path;
        FileIdentity identity;
        std::shared_ptr<Checkpoint> checkpoint;
        Conditioner conditioner;
        std::unique_ptr<adapters::AdapterSet> adapters = {};  ///< once a LoRA was wanted
        ExternalVae vae = {};
    };
    ModelStore(torch::Device device, torch::ScalarType dtype) : m_device(device), m_dtype(dtype) {}

    /// The model, loaded when it is not held or when its file has changed since. Who holds it may go on using it after
    /// it was unloaded. Errors  throws Failure as loadCheckpoint, and what torch throws.
    std::shared_ptr<Resident> get(const std::string &path, std::stop_token stop, const LoadWatch &watch);
    void unload(const std::optional<std::string> &path);
    /// Gives what freed tensors left behind back to the system.
    void giveBackMemory();
    std::vector<ResidentModel> residents() const;
    /// After a resident's LoRAs or VAE changed.
    void publish();

private:
    void makeRoom(const FileIdentity &file);

    torch::Device m_device;
    torch::ScalarType m_dtype;
    std::list<std::shared_ptr<Resident>> m_residents;  // most recently used first
    mutable std::mutex m_mutex;
    std::vector<ResidentModel> m_published;
};

}  // namespace sg::engine
