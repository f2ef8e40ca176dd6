#include "core/engine/loading_report.h"

#include "core/engine/messages.h"

namespace sg::engine {
namespace {

constexpr std::chrono::milliseconds kInterval{250};

}  // namespace

void LoadingReport::operator()(std::uint64_t bytes, std::uint64_t total)
{
    const Clock::time_point now = Clock::now();
    if (m_last && now - *m_last < kInterval) return;
    m_last = now;
    Json json = event("loading", m_id);
    json["bytes"] = bytes;
    json["total"] = total;
    m_outbox->send(std::move(json));
}

}  // namespace sg::engine
