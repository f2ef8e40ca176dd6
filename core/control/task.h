#pragma once

#include "core/base/json.h"
#include "core/params/param_values.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

enum class TaskState { Waiting, Running, Succeeded, Failed, Cancelled };

/// "waiting", "running", "succeeded", "failed", "cancelled": the API's `status`.
std::string_view taskStateName(TaskState state);
inline bool isFinal(TaskState state)
{
    return state != TaskState::Waiting && state != TaskState::Running;
}

/// A picture that a task begins with, under its name in the object store: "inputs/<task>/<hash>.png".
struct InputPicture {
    std::string name;
    std::string bytes;  ///< the file as it came
};

/// What a client asks for; already parsed, checked and with its seeds resolved.
struct NewTask {
    std::string id;  ///< chosen by the client, or random
    std::string user = "default";
    std::string model;   ///< library name of the checkpoint
    ParamValues values;  ///< every row of the parameter table
    Json body;  ///< the request as it came (without big pictures): echoed, and compared when the id comes again
    std::vector<std::string> notes;
    std::vector<InputPicture> pictures = {};  ///< those that `values` name; stored before the task is
};

/// A task as stored.
struct TaskRecord {
    std::string id;
    std::string user;
    std::string model;
    TaskState state = TaskState::Waiting;
    Json params;  ///< flat object of the parameter table, seeds resolved
    Json body;
    std::vector<std::string> notes;
    std::vector<std::string> images;     ///< object paths images/<user>/<id>_<n>.png, n from 1
    std::vector<std::string> infotexts;  ///< one an image
    std::vector<std::int64_t> seeds;     ///< one an image
    std::vector<std::int64_t> subseeds;  ///< one an image
    Error error;                         ///< of a failed or cancelled task
    int attempts = 0;                    ///< engine deaths so far while this task ran
    std::int64_t createdMs = 0;
    std::int64_t startedMs = 0;
    std::int64_t endedMs = 0;
};

/// Where a running task stands; from memory, never stored.
struct TaskProgress {
    TaskState state = TaskState::Waiting;
    double fraction = 0;  ///< of the whole task, 0..1
    double etaSeconds = 0;
    double rate = 0;  ///< steps per second
    double sigma = 0;
    int step = 0;
    int steps = 0;
    int image = 0;  ///< index of the current batch's first picture
    int images = 0;
    std::optional<double> loading;    ///< how much of the model is read, 0..1, while that is what is done
    int position = 0;                 ///< tasks ahead of a waiting one
    std::uint64_t previewNumber = 0;  ///< counts up with each preview
    std::string preview;              ///< JPEG bytes, or empty
};

}  // namespace sg
