#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"

#include <QCommandLineParser>

namespace sg::daemon {

/// The options of `serigraphd generate`; values are checked by the parameter table, as the API's are.
void declareGenerateOptions(QCommandLineParser &parser);

/// The request's body from the options. Width and height that were not given stay out: the model's own size takes their
/// place. Notes about --like go to stderr.
/// Errors  InvalidArgument, NotFound, TooLarge, UnusableFile; subject is the option or the field.
Expected<Json> generateBody(const QCommandLineParser &parser);

}  // namespace sg::daemon
