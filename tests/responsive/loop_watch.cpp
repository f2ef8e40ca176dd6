#include "tests/responsive/loop_watch.h"

#include <QAbstractEventDispatcher>
#include <QByteArray>
#include <QStringList>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sg::test {

using namespace Qt::Literals::StringLiterals;

LoopWatch::LoopWatch()
{
    const QByteArray path =
        "/proc/self/task/" + QByteArray::number(static_cast<qlonglong>(::syscall(SYS_gettid))) + "/schedstat";
    m_file = ::open(path.constData(), O_RDONLY | O_CLOEXEC);
    m_clock.start();
    QAbstractEventDispatcher *dispatcher = QAbstractEventDispatcher::instance();
    connect(dispatcher, &QAbstractEventDispatcher::awake, this, &LoopWatch::awake, Qt::DirectConnection);
    connect(dispatcher, &QAbstractEventDispatcher::aboutToBlock, this, &LoopWatch::aboutToBlock, Qt::DirectConnection);
}

LoopWatch::~LoopWatch()
{
    if (m_file >= 0) ::close(m_file);
}

std::int64_t LoopWatch::queueWaitNs() const
{
    char text[128] = {};
    if (m_file < 0 || ::pread(m_file, text, sizeof text - 1, 0) <= 0) qFatal("no schedstat");
    char *rest = nullptr;
    std::strtoll(text, &rest, 10);  // time on a core
    return std::strtoll(rest, nullptr, 10);
}

void LoopWatch::reset()
{
    m_longest = 0;
    m_turns = 0;
    m_long.clear();
    m_wakeNs = -1;
}

void LoopWatch::awake()
{
    // A second awake() without a block in between: the loop came back by itself, and this turn begins.
    if (m_wakeNs >= 0) aboutToBlock();
    m_wakeWait = queueWaitNs();
    m_wakeNs = m_clock.nsecsElapsed();
}

void LoopWatch::aboutToBlock()
{
    if (m_wakeNs < 0) return;
    const std::int64_t away = m_clock.nsecsElapsed() - m_wakeNs - (queueWaitNs() - m_wakeWait);
    m_wakeNs = -1;
    ++m_turns;
    m_longest = std::max(m_longest, away);
    if (away > 20'000'000) m_long.push_back(away);
}

QString LoopWatch::report() const
{
    std::vector<std::int64_t> sorted = m_long;
    std::sort(sorted.rbegin(), sorted.rend());
    QStringList parts;
    for (std::size_t i = 0; i < sorted.size() && i < 12; ++i)
        parts.append(QString::number(double(sorted[i]) / 1e6, 'f', 1));
    return u"%1 turns, longest %2 ms; over 20 ms: [%3]"_s.arg(m_turns)
        .arg(double(m_longest) / 1e6, 0, 'f', 1)
        .arg(parts.join(u", "_s));
}

}  // namespace sg::test
