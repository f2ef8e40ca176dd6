#pragma once

#include "core/engine/outbox.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace sg::engine {

/// Turns what a LoadWatch is told into `loading` events, at most four a second: signs of life for whoever waits.
/// Thread  the one that computes.
class LoadingReport {
public:
    LoadingReport(std::string id, Outbox &outbox) : m_id(std::move(id)), m_outbox(&outbox) {}

    void operator()(std::uint64_t bytes, std::uint64_t total);

private:
    using Clock = std::chrono::steady_clock;

    std::string m_id;
    Outbox *m_outbox;
    std::optional<Clock::time_point> m_last;
};

}  // namespace sg::engine
