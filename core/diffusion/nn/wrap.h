#pragma once

#include <cstdint>
#include <utility>

namespace sg::nn {

/// Where convolutions that pad see the opposite edge of their picture instead of zeros: then what is drawn repeats
/// without a seam.
struct Wrap {
    bool across = false;
    bool down = false;
    bool any() const { return across || down; }
};

namespace detail {
inline thread_local Wrap currentWrap;
}

/// What the running task asked for (docs/decisions/scopes-of-a-task.md). Thread  the one that computes.
inline Wrap currentWrap()
{
    return detail::currentWrap;
}

/// Holds until the scope ends, and then what held before.
class WrapScope {
public:
    explicit WrapScope(Wrap wrap) : m_before(std::exchange(detail::currentWrap, wrap)) {}
    ~WrapScope() { detail::currentWrap = m_before; }
    WrapScope(const WrapScope &) = delete;
    WrapScope &operator=(const WrapScope &) = delete;

private:
    Wrap m_before;
};

/// A place beyond an edge, on the other side.
inline std::int64_t wrapped(std::int64_t place, std::int64_t size)
{
    return (place % size + size) % size;
}

}  // namespace sg::nn
