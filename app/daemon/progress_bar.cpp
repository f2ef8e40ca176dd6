#include "app/daemon/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sg::daemon {
namespace {

constexpr int kWidth = 30;

}  // namespace

ProgressBar::ProgressBar() : m_terminal(::isatty(STDERR_FILENO) == 1) {}

void ProgressBar::show(const TaskProgress &progress)
{
    if (!m_terminal) return;
    if (progress.loading)
        return note("loading the model: " + std::to_string(static_cast<int>(*progress.loading * 100)) + " %");
    const int full = static_cast<int>(std::clamp(progress.fraction, 0.0, 1.0) * kWidth);
    const std::string bar =
        std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(kWidth - full), '.');
    char rate[32] = "";
    if (progress.rate > 0) std::snprintf(rate, sizeof rate, "  %.2f it/s", progress.rate);
    std::fprintf(stderr, "\r\033[K[%s] step %d/%d, picture %d/%d%s  %s left", bar.c_str(), progress.step,
                 progress.steps, std::min(progress.image + 1, std::max(progress.images, 1)),
                 std::max(progress.images, 1), rate, durationText(progress.etaSeconds).c_str());
    std::fflush(stderr);
}

void ProgressBar::note(const std::string &text)
{
    if (!m_terminal) return;
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
}

void ProgressBar::clear()
{
    note({});
}

std::string durationText(double seconds)
{
    const auto whole = static_cast<long>(std::max(0.0, seconds) + 0.5);
    char text[32];
    if (whole >= 3600)
        std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
    return text;
}

}  // namespace sg::daemon
