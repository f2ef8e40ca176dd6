#pragma once

#include "core/engine/loading_report.h"
#include "core/engine/messages.h"
#include "core/engine/outbox.h"

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sg::engine {

/// Turns what a generate request produces into its events.
/// Thread  the one that computes.
class TaskSink final : public GenerationSink {
public:
    /// `pause`: whether the task is to be left at the next step boundary.
    TaskSink(std::string id, const GenerateMessage &message, const ParamTable &table, const std::atomic<bool> &pause,
             Outbox &outbox);

    void progress(const StepProgress &progress) override;
    void alive() override;
    void loading(std::uint64_t bytes, std::uint64_t total) override { m_loading(bytes, total); }
    bool pauseWanted() override { return m_pause; }
    const Inspection *inspection() const override { return m_message.inspection ? &*m_message.inspection : nullptr; }
    void found(Finding finding) override;
    bool previewDue() override;
    void preview(std::int64_t step, std::int64_t image, Image picture) override;
    void image(std::int64_t index, Image picture) override;
    void warning(std::string text) override;
    void reason(std::string text) override;
    void fact(std::string key, std::string value) override;

    const std::vector<std::string> &warnings() const { return m_warnings; }
    const std::vector<std::string> &reasons() const { return m_reasons; }
    std::int64_t images() const { return m_images; }
    double seconds() const;  ///< without pauses
    /// The time from paused() to goOn() does not count.
    void paused() { m_pausedAt = Clock::now(); }
    void goOn();
    std::int64_t step() const { return m_step; }  ///< the last that was made of the running batch

private:
    using Clock = std::chrono::steady_clock;

    std::string m_id;
    const GenerateMessage &m_message;
    const ParamTable &m_table;
    const std::atomic<bool> &m_pause;
    Outbox &m_outbox;
    LoadingReport m_loading;
    Clock::time_point m_start = Clock::now();
    Clock::time_point m_lastStep = m_start;
    Clock::time_point m_lastPreview = m_start;
    Clock::time_point m_lastSign = m_start;
    Clock::time_point m_pausedAt = m_start;
    std::int64_t m_step = 0;
    double m_secondsPerStep = 0;  // smoothed
    bool m_firstStep = true;
    std::int64_t m_images = 0;
    std::vector<std::string> m_warnings, m_reasons;
    std::vector<std::pair<std::string, std::string>> m_facts;
};

}  // namespace sg::engine
