#pragma once

#include "core/base/expected.h"
#include "core/control/task.h"
#include "core/params/param_table.h"

#include <filesystem>
#include <string>

namespace sg {

class ModelLibrary;

namespace server {

/// What the headers of a generating request say.
struct SubmissionOptions {
    std::string taskId = {};  ///< chosen by the client, or empty
    std::string user = "default";
    bool strict = false;
    bool modelOptional = false;  ///< A1111: override_settings or the options may name it
    std::filesystem::path stylesFile = {};  ///< styles.csv
    std::string fallbackModel = {};   ///< the checkpoint of A1111's options
};

/// A text-to-image body as a task: parsed and checked by the parameter table, its model found, its seeds resolved.
/// Errors  InvalidArgument (a field, the id, the user), NotFound (model), UnusableFile (model), TooLarge (body without
/// its pictures). Thread  any.
Expected<NewTask> makeTextToImageTask(Json body, const SubmissionOptions &options, const ParamTable &table,
                                      const ModelLibrary &library);

}  // namespace server
}  // namespace sg
