#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"

#include <QCommandLineParser>

#include <string>
#include <vector>

namespace sg::daemon {

/// The options of `serigraphd generate`; values are checked by the parameter table, as the API's are.
void declareGenerateOptions(QCommandLineParser &parser);

/// The request's body from the options. Width and height that were not given stay out: the model's own size takes their
/// place. Notes about --like go to stderr.
/// Errors  InvalidArgument, NotFound, TooLarge, UnusableFile, in the options' words; subject is the option or the
/// field.
Expected<Json> generateBody(const QCommandLineParser &parser);

/// The fields that --set names.
std::vector<std::string> settingKeys(const QCommandLineParser &parser);

/// The error's message with the option in the place of the field that it sets ("--strength must be …"); a field of
/// `settings` was typed by its own name and becomes "--set field".
std::string inOptionWords(const Error &error, const std::vector<std::string> &settings);

}  // namespace sg::daemon
