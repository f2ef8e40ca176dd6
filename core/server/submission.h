#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/control/task.h"
#include "core/params/param_table.h"
#include "core/server/request_pictures.h"

#include <filesystem>
#include <string>

namespace sg {

class ModelLibrary;

namespace server {

/// What the route and the headers of a generating request say.
struct SubmissionOptions {
    TaskKind kind = TaskKind::TextToImage;
    std::string taskId = {};  ///< chosen by the client, or empty
    std::string user = "default";
    bool strict = false;
    bool modelOptional = false;             ///< A1111: override_settings or the options may name it
    std::filesystem::path stylesFile = {};  ///< styles.csv
    std::string fallbackModel = {};         ///< the checkpoint of A1111's options
    Json settings = Json::object();         ///< A1111's options that are rows, for fields that the body leaves out
    StoredPictures stored = {};             ///< those that the body names
};

/// A generating body as a task: its pictures taken out, the rest parsed and checked by the parameter table, its model
/// found, its seeds resolved.
/// Errors  InvalidArgument (a field, the id, the user), NotFound (model, and A1111's missing start picture),
/// UnusableFile (model, picture), TooLarge (pictures, body without its pictures). Thread  any.
Expected<NewTask> makeTask(Json body, const SubmissionOptions &options, const ParamTable &table,
                           const ModelLibrary &library);

}  // namespace server
}  // namespace sg
