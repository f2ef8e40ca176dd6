#pragma once

#include "core/control/task.h"

namespace sg {

class ModelLibrary;

namespace server {

/// A1111's `info` of a finished task, with all of its keys in its order.
Json generationInfo(const TaskRecord &task, const ModelLibrary &library);

}  // namespace server
}  // namespace sg
