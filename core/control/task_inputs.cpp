#include "core/control/task_inputs.h"

#include "core/base/log.h"

#include <algorithm>

namespace sg {
namespace {

constexpr const char *kInputs = "inputs";

void remove(ObjectStore &objects, const std::string &name)
{
    if (Expected<void> removed = objects.remove(name); !removed)
        logError("queue", "a start picture cannot be removed: " + removed.error().message);
}

}  // namespace

std::string inputFolder(const std::string &taskId)
{
    return std::string(kInputs) + "/" + taskId;
}

std::vector<std::pair<std::string, std::string>> inputsOf(const Json &params, const ParamTable &table)
{
    std::vector<std::pair<std::string, std::string>> inputs;
    const auto add = [&](const std::string &row, const Json &name) {
        if (name.is_string() && !name.get_ref<const std::string &>().empty())
            inputs.emplace_back(row, name.get<std::string>());
    };
    for (const ParamSpec &spec : table.specs()) {
        const auto it = spec.isPicture() ? params.find(spec.key) : params.end();
        if (it == params.end()) continue;
        if (it->is_array())
            for (const Json &name : *it)
                add(spec.key, name);
        else
            add(spec.key, *it);
    }
    return inputs;
}

Expected<void> storeInputs(ObjectStore &objects, const NewTask &task)
{
    for (const InputPicture &picture : task.pictures) {
        Expected<void> stored = objects.write(picture.name, picture.bytes);
        if (stored) continue;
        removeInputs(objects, task, {});
        Error error = stored.error();
        error.message = "a start picture could not be stored: " + error.message;
        return Unexpected{std::move(error)};
    }
    return {};
}

void removeInputs(ObjectStore &objects, const NewTask &task,
                  const std::vector<std::pair<std::string, std::string>> &kept)
{
    for (const InputPicture &picture : task.pictures) {
        const auto same = [&](const auto &input) { return input.second == picture.name; };
        if (std::none_of(kept.begin(), kept.end(), same)) remove(objects, picture.name);
    }
    if (kept.empty() && !task.pictures.empty())
        if (Expected<void> removed = objects.removeFolder(inputFolder(task.id)); !removed)
            logError("queue", "a folder of start pictures cannot be removed: " + removed.error().message);
}

int removeOrphanedInputs(ObjectStore &objects, const std::function<bool(const std::string &)> &isTask)
{
    const Expected<std::vector<std::string>> tasks = objects.folders(kInputs);
    if (!tasks) return 0;
    int removed = 0;
    for (const std::string &id : *tasks) {
        if (isTask(id)) continue;
        if (objects.removeFolder(inputFolder(id))) ++removed;
    }
    return removed;
}

}  // namespace sg
