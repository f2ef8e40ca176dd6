#include "core/control/task.h"

namespace sg {

std::string_view taskStateName(TaskState state)
{
    switch (state) {
    case TaskState::Waiting:
        return "waiting";
    case TaskState::Running:
        return "running";
    case TaskState::Succeeded:
        return "succeeded";
    case TaskState::Failed:
        return "failed";
    case TaskState::Cancelled:
        return "cancelled";
    }
    return "failed";
}

}  // namespace sg
