#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sg::nn {

/// Looks into networks while they run: is told what their blocks give, under the names of their modules, and how
/// tokens attend. As a rule there is none, and all that costs is a test of a pointer.
/// Thread  one per thread; told by the thread that computes.
class Probe {
public:
    virtual ~Probe() = default;
    /// What the module that is open now gave. Shapes  any.
    virtual void output(const torch::Tensor &made) = 0;
    /// Shapes  q [B, N, heads * d], k [B, M, heads * d], of attention to another row of tokens than its own.
    virtual void attention(const torch::Tensor &q, const torch::Tensor &k, std::int64_t heads) = 0;

    static Probe *current() { return s_current; }

    /// Sets the probe of this thread for as long as it lives.
    class Scope {
    public:
        explicit Scope(Probe *probe) : m_before(s_current) { s_current = probe; }
        ~Scope() { s_current = m_before; }
        Scope(const Scope &) = delete;
        Scope &operator=(const Scope &) = delete;

    private:
        Probe *m_before;
    };

    /// Opens the module `part` inside the one that is open; nothing without a probe.
    class Module {
    public:
        explicit Module(std::string_view part) : m_probe(s_current)
        {
            if (!m_probe) return;
            m_length = m_probe->m_name.size();
            if (!m_probe->m_name.empty()) m_probe->m_name += '.';
            m_probe->m_name += part;
        }
        ~Module()
        {
            if (m_probe) m_probe->m_name.resize(m_length);
        }
        Module(const Module &) = delete;
        Module &operator=(const Module &) = delete;
        void gave(const torch::Tensor &made) const
        {
            if (m_probe) m_probe->output(made);
        }

    private:
        Probe *m_probe;
        std::size_t m_length = 0;
    };

protected:
    const std::string &name() const { return m_name; }

private:
    std::string m_name;
    static inline thread_local Probe *s_current = nullptr;
};

}  // namespace sg::nn
