#pragma once

#include "core/diffusion/pipeline/memory_plan.h"
#include "core/engine/torch/model_store.h"

#include <cstdint>
#include <list>
#include <memory>
#include <stop_token>
#include <utility>

namespace sg::engine {

/// Obeys a plan with `offload`: brings a checkpoint's text encoders or UNet when the task first asks for them, and lets
/// go those that were used longest ago when the plan has no room for all. The same bits come back, so the pictures are
/// those of a run that has everything at once. Thread  the one that computes.
class PartKeeper {
public:
    /// `upscaler`: bytes of an upscaler's weights, which stay. `adapted`: LoRAs are merged over a checkpoint's
    /// text encoders and UNet, so the two come and go together. The store must outlive it.
    PartKeeper(ModelStore &store, const MemoryPlan &plan, std::uint64_t upscaler, bool adapted, std::stop_token stop,
               LoadWatch watch);
    ~PartKeeper();
    PartKeeper(const PartKeeper &) = delete;
    PartKeeper &operator=(const PartKeeper &) = delete;

    /// Takes a checkpoint of the task into its care. What an earlier task merged is taken back.
    void care(const std::shared_ptr<ModelStore::Resident> &resident);
    /// Lets everything go that can come back: another checkpoint is to be read.
    void dropAll();
    /// A picture is coded or enlarged next.
    void code();

private:
    struct Held {
        std::shared_ptr<ModelStore::Resident> resident;
        CheckpointPart part;
    };
    void use(const std::shared_ptr<ModelStore::Resident> &resident, CheckpointPart part);
    void makeRoom(std::uint64_t bytes, const ModelStore::Resident *spared, CheckpointPart part);
    bool belongs(const Held &held, const ModelStore::Resident *resident, CheckpointPart part) const;
    void drop(const Held &held);
    std::uint64_t ownBytes() const;

    ModelStore &m_store;
    MemoryPlan m_plan;
    std::uint64_t m_total;  // of own weights and run
    bool m_adapted;
    std::stop_token m_stop;
    LoadWatch m_watch;
    std::list<Held> m_held;  // used longest ago first
    std::list<std::shared_ptr<ModelStore::Resident>> m_residents;
};

}  // namespace sg::engine
