#pragma once

#include <torch/types.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace sg::nn {

/// What group norms saw in one pass of a network, in their order, so that passes over parts of a picture can go by it:
/// a part alone would be normalised by itself, and look like no part of the whole.
class NormRecord {
public:
    struct Seen {
        torch::Tensor mean, scale;  ///< [B, groups]; scale: 1 / deviation
    };
    bool recording = true;  ///< otherwise what was seen counts
    bool empty() const { return m_seen.empty(); }
    void add(Seen seen) { m_seen.push_back(std::move(seen)); }
    /// The next norm's; begins again after the last.
    const Seen &next() { return m_seen[m_next++ % m_seen.size()]; }

private:
    std::vector<Seen> m_seen;
    std::size_t m_next = 0;
};

namespace detail {
inline thread_local NormRecord *currentNorms = nullptr;
}

/// Null: each norm goes by what it sees. Thread  the one that computes.
inline NormRecord *currentNorms()
{
    return detail::currentNorms;
}

/// Holds until the scope ends (docs/decisions/scopes-of-a-task.md).
class NormScope {
public:
    explicit NormScope(NormRecord *record) : m_before(std::exchange(detail::currentNorms, record)) {}
    ~NormScope() { detail::currentNorms = m_before; }
    NormScope(const NormScope &) = delete;
    NormScope &operator=(const NormScope &) = delete;

private:
    NormRecord *m_before;
};

}  // namespace sg::nn
