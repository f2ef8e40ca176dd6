#pragma once

#include <QElapsedTimer>
#include <QObject>

#include <cstdint>
#include <vector>

namespace sg::test {

/// How long the main thread is away from its event loop, without the time it waited for a free core: wall time between
/// the loop waking up and going back to wait, less the second field of /proc/self/task/<tid>/schedstat.
class LoopWatch final : public QObject {
    Q_OBJECT
public:
    LoopWatch();
    ~LoopWatch() override;

    void reset();
    std::int64_t longestNs() const { return m_longest; }
    int turns() const { return m_turns; }
    /// The longest absences, for the message of a failure.
    QString report() const;

private:
    void awake();
    void aboutToBlock();
    std::int64_t queueWaitNs() const;

    int m_file = -1;
    QElapsedTimer m_clock;
    std::int64_t m_wakeNs = -1;
    std::int64_t m_wakeWait = 0;
    std::int64_t m_longest = 0;
    int m_turns = 0;
    std::vector<std::int64_t> m_long;
};

}  // namespace sg::test
