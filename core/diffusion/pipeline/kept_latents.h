#pragma once

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <utility>

namespace sg {

/// Latents whose pictures could not be decoded, until the same drawing is asked for again.
class KeptLatents {
public:
    static constexpr std::size_t kMost = 4;  ///< batches; the oldest goes

    /// `drawing`: GenerationRequest::drawing; `batch`: which of the task's.
    void keep(std::string drawing, std::int64_t batch, torch::Tensor latents)
    {
        drop(drawing, batch);
        m_kept.push_front({std::move(drawing), batch, std::move(latents)});
        if (m_kept.size() > kMost) m_kept.pop_back();
    }
    /// Undefined where there are none.
    torch::Tensor find(const std::string &drawing, std::int64_t batch) const
    {
        for (const Kept &one : m_kept)
            if (one.batch == batch && one.drawing == drawing) return one.latents;
        return {};
    }
    void drop(const std::string &drawing, std::int64_t batch)
    {
        m_kept.remove_if([&](const Kept &one) { return one.batch == batch && one.drawing == drawing; });
    }

private:
    struct Kept {
        std::string drawing;
        std::int64_t batch;
        torch::Tensor latents;
    };
    std::list<Kept> m_kept;
};

}  // namespace sg
