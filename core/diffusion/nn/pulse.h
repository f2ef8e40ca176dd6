#pragma once

#include <functional>
#include <utility>

namespace sg::nn {

/// A sign of life from inside long computations: networks tell of each of their blocks that they go on. As a rule
/// nobody listens, and all that costs is a test of a pointer.
/// Thread  one listener per thread; called by the thread that computes.
class Pulse {
public:
    static void beat()
    {
        if (s_current) s_current->m_listener();
    }

    /// Sets the listener of this thread for as long as it lives.
    class Scope {
    public:
        explicit Scope(std::function<void()> listener)
            : m_listener(std::move(listener)), m_before(std::exchange(s_current, this))
        {
        }
        ~Scope() { s_current = m_before; }
        Scope(const Scope &) = delete;
        Scope &operator=(const Scope &) = delete;

    private:
        friend class Pulse;
        std::function<void()> m_listener;
        Scope *m_before;
    };

private:
    static inline thread_local Scope *s_current = nullptr;
};

}  // namespace sg::nn
