#pragma once

#include "core/base/expected.h"
#include "core/params/param_values.h"
#include "ui/client/api_types.h"

#include <vector>

namespace sg::ui {

// The API's JSON (docs/api.md) as the window's values. An answer of another shape is an Internal error that names the
// field. Thread  any.
Expected<std::vector<ModelInfo>> decodeModels(const Json &json);
Expected<Submitted> decodeSubmitted(const Json &json);
Expected<TaskProgressInfo> decodeProgress(const Json &json);
Expected<TaskResult> decodeResult(const Json &json);
Expected<ServerState> decodeServer(const Json &json);
Expected<FolderState> decodeFolders(const Json &json);
Expected<std::vector<LogEntry>> decodeLogs(const Json &json);
/// The table as the server has it, with its limits.
Expected<ParamTable> decodeParameters(const Json &json);

/// The body of an error reply; `status` is the HTTP status, for bodies that are no JSON.
Error decodeError(const QByteArray &body, int status);

}  // namespace sg::ui
