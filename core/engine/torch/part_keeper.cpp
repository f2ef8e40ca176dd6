#include "core/engine/torch/part_keeper.h"

#include "core/base/log.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sg::engine {

PartKeeper::PartKeeper(ModelStore &store, const MemoryPlan &plan, std::uint64_t upscaler, bool adapted,
                       std::stop_token stop, LoadWatch watch)
    : m_store(store), m_plan(plan), m_total(plan.available + plan.held - std::min(plan.available, upscaler)),
      m_adapted(adapted), m_stop(std::move(stop)), m_watch(std::move(watch))
{
}

PartKeeper::~PartKeeper()
{
    for (const auto &resident : m_residents)
        resident->checkpoint->before = {};
}

void PartKeeper::care(const std::shared_ptr<ModelStore::Resident> &resident)
{
    const auto same = [&](const auto &other) { return other == resident; };
    if (std::any_of(m_residents.begin(), m_residents.end(), same)) return;
    m_residents.push_back(resident);
    if (resident->adapters) {
        (void)resident->adapters->apply({});
        resident->adapters.reset();
        resident->conditioner.forget();
    }
    for (const CheckpointPart part : kCheckpointParts)
        if (resident->checkpoint->part(part).here) m_held.push_back({resident, part});
    // Not the pointer: the checkpoint would hold itself.
    resident->checkpoint->before = [this, weak = std::weak_ptr(resident)](CheckpointPart part) {
        if (const auto one = weak.lock()) use(one, part);
    };
}

std::uint64_t PartKeeper::ownBytes() const
{
    std::uint64_t sum = 0;
    for (const auto &resident : m_residents)
        sum += resident->own();
    return sum;
}

bool PartKeeper::belongs(const Held &held, const ModelStore::Resident *resident, CheckpointPart part) const
{
    return held.resident.get() == resident && (m_adapted || held.part == part);
}

void PartKeeper::drop(const Held &held)
{
    ModelStore::Resident &one = *held.resident;
    logInfo("engine", (held.part == CheckpointPart::Unet ? "the UNet of " : "the text encoders of ") + one.name() +
                          " went, they are not needed now");
    if (one.adapters) {
        one.adapters.reset();  // it holds the networks, which do not come back changed
        one.conditioner.forget();
    }
    one.checkpoint->drop(held.part);
}

/// Until so many bytes can be had beside what stays; what belongs to `spared` does.
void PartKeeper::makeRoom(std::uint64_t bytes, const ModelStore::Resident *spared, CheckpointPart part)
{
    bool dropped = false;
    for (auto next = m_held.begin(); next != m_held.end() && ownBytes() + bytes > m_total;) {
        // Pages of a file can go by themselves.
        const bool stays = next->resident->checkpoint->part(next->part).own() == 0 || belongs(*next, spared, part);
        if (stays) {
            ++next;
            continue;
        }
        const Held gone = *next;
        const auto goes = [&](const Held &held) { return belongs(held, gone.resident.get(), gone.part); };
        for (const Held &held : m_held)
            if (goes(held)) drop(held);
        m_held.remove_if(goes);
        next = m_held.begin();
        dropped = true;
    }
    if (!dropped) return;
    m_store.publish();
    m_store.giveBackMemory();
}

void PartKeeper::use(const std::shared_ptr<ModelStore::Resident> &resident, CheckpointPart part)
{
    if (!m_held.empty() && m_held.back().resident == resident && m_held.back().part == part) return;
    Checkpoint &checkpoint = *resident->checkpoint;
    std::vector<CheckpointPart> wanted{part};
    if (m_adapted) wanted.assign(kCheckpointParts.begin(), kCheckpointParts.end());
    std::uint64_t missing = 0;
    for (const CheckpointPart one : wanted)
        if (!checkpoint.part(one).here) missing += checkpoint.part(one).own();
    if (m_adapted && !resident->adapters) missing += m_plan.merged;
    const std::uint64_t run = (part == CheckpointPart::Unet ? m_plan.activations : 0) + m_plan.pictures;
    makeRoom(missing + run, resident.get(), part);
    m_store.makeRoom(missing + run);
    for (const CheckpointPart one : wanted) {
        checkpoint.bring(one, m_stop, m_watch);
        m_held.remove_if([&](const Held &held) { return held.resident == resident && held.part == one; });
        m_held.push_back({resident, one});
    }
    // The one that was asked for is the newest.
    const auto asked = std::find_if(m_held.begin(), m_held.end(),
                                    [&](const Held &held) { return held.resident == resident && held.part == part; });
    m_held.splice(m_held.end(), m_held, asked);
    m_store.publish();
}

void PartKeeper::dropAll()
{
    for (const Held &held : m_held)
        drop(held);
    m_held.clear();
    m_store.publish();
    m_store.giveBackMemory();
}

void PartKeeper::code()
{
    makeRoom(std::max(m_plan.vae, m_plan.upscaler) + m_plan.pictures, nullptr, CheckpointPart::Unet);
}

}  // namespace sg::engine
