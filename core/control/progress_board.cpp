#include "core/control/progress_board.h"

#include <algorithm>
#include <cmath>

namespace sg {
namespace {

double number(const Json &event, const char *key)
{
    const auto it = event.find(key);
    return it != event.end() && it->is_number() && std::isfinite(it->get<double>()) ? it->get<double>() : 0;
}

int integer(const Json &event, const char *key)
{
    return static_cast<int>(std::clamp(number(event, key), 0.0, 1e9));
}

}  // namespace

void ProgressBoard::start(const std::string &id, int images)
{
    const std::lock_guard lock(m_mutex);
    TaskProgress progress;
    progress.state = TaskState::Running;
    progress.images = images;
    m_tasks.insert_or_assign(id, std::move(progress));
    m_running = id;
}

void ProgressBoard::drop(const std::string &id)
{
    const std::lock_guard lock(m_mutex);
    m_tasks.erase(id);
    if (m_running == id) m_running.clear();
}

void ProgressBoard::end(const std::string &id, TaskState state)
{
    const std::lock_guard lock(m_mutex);
    TaskProgress &progress = m_tasks[id];
    progress.state = state;
    progress.fraction = 1;
    progress.etaSeconds = 0;
    progress.preview = {};
    if (m_running == id) m_running.clear();
    m_ended.push_back(id);
    if (m_ended.size() > kKeptEnded) {
        m_tasks.erase(m_ended.front());
        m_ended.pop_front();
    }
}

void ProgressBoard::advance(const std::string &id, const Json &event)
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_tasks.find(id);
    if (it == m_tasks.end() || isFinal(it->second.state)) return;
    TaskProgress &progress = it->second;
    progress.loading.reset();
    progress.fraction = std::clamp(number(event, "fraction"), 0.0, 0.99);
    progress.etaSeconds = std::max(0.0, number(event, "eta"));
    progress.rate = number(event, "rate");
    progress.sigma = number(event, "sigma");
    progress.step = integer(event, "step");
    progress.steps = integer(event, "steps");
    progress.image = integer(event, "image");
    progress.images = std::max(progress.images, integer(event, "images"));
}

void ProgressBoard::load(const std::string &id, const Json &event)
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_tasks.find(id);
    const double total = number(event, "total");
    if (it == m_tasks.end() || isFinal(it->second.state) || total <= 0) return;
    it->second.loading = std::clamp(number(event, "bytes") / total, 0.0, 1.0);
}

void ProgressBoard::preview(const std::string &id, std::string jpeg)
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_tasks.find(id);
    if (it == m_tasks.end() || isFinal(it->second.state)) return;
    it->second.preview = std::move(jpeg);
    ++it->second.previewNumber;
}

std::optional<TaskProgress> ProgressBoard::find(const std::string &id) const
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_tasks.find(id);
    if (it == m_tasks.end()) return std::nullopt;
    return it->second;
}

std::string ProgressBoard::running() const
{
    const std::lock_guard lock(m_mutex);
    return m_running;
}

}  // namespace sg
