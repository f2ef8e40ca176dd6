#pragma once

namespace sg {

/// Keeps previews to a small share of a task's time. Units  seconds.
class PreviewBudget {
public:
    static constexpr double kShare = 0.2;

    /// Whether one more, as dear as the last, stays within the share of the time that the task has run. What the first
    /// one costs is not known before.
    bool allows(double elapsed) const { return m_spent + m_last <= kShare * elapsed; }
    void spend(double seconds)
    {
        m_spent += seconds;
        m_last = seconds;
    }

private:
    double m_spent = 0, m_last = 0;
};

}  // namespace sg
