#pragma once

#include "core/control/task.h"

#include <string>

namespace sg::daemon {

/// One line on stderr that is rewritten; nothing when stderr is no terminal.
class ProgressBar {
public:
    ProgressBar();

    void show(const TaskProgress &progress);
    void note(const std::string &text);
    void clear();

private:
    bool m_terminal;
};

/// "1:05" or "2:03:10".
std::string durationText(double seconds);

}  // namespace sg::daemon
