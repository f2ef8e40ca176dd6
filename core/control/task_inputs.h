#pragma once

#include "core/control/task.h"
#include "core/storage/object_store.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sg {

/// The folder of a task's start pictures in the object store.
std::string inputFolder(const std::string &taskId);

/// The objects that a task's parameters name, in the table's order: row and object name.
std::vector<std::pair<std::string, std::string>> inputsOf(const Json &params, const ParamTable &table);

/// Makes the pictures of a task that is about to be stored safe on the disk; what was written goes again when one
/// fails. Errors  the object store's.
Expected<void> storeInputs(ObjectStore &objects, const NewTask &task);

/// Removes pictures of a submission that was not taken in; those that `kept` names (of the task with the same id that
/// is there) stay.
void removeInputs(ObjectStore &objects, const NewTask &task,
                  const std::vector<std::pair<std::string, std::string>> &kept);

/// Removes the folders whose task was never committed: what a crash between picture and commit leaves. Returns how
/// many.
int removeOrphanedInputs(ObjectStore &objects, const std::function<bool(const std::string &)> &isTask);

}  // namespace sg
