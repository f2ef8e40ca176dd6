#pragma once

#include "core/base/expected.h"
#include "core/server/services.h"

#include <QCommandLineParser>

#include <string>

namespace sg::daemon {

/// A text of the command line's help.
inline QString name(const char *text)
{
    return QString::fromLatin1(text);
}

/// Options that several subcommands share, declared once.
void addDataOptions(QCommandLineParser &parser);
void addEngineOptions(QCommandLineParser &parser);
void addLimitOptions(QCommandLineParser &parser);

/// Parses what follows the subcommand. Prints help and exits for --help. Errors  InvalidArgument.
Expected<void> parseWords(QCommandLineParser &parser, const QStringList &words);

/// A whole number of an option that has a default. Errors  InvalidArgument outside [minimum, maximum].
Expected<std::int64_t> integerOption(const QCommandLineParser &parser, const QString &name, std::int64_t minimum,
                                     std::int64_t maximum);

/// From the data options. Errors  InvalidArgument (a folder that is not there).
Expected<ServicesConfig> dataConfig(const QCommandLineParser &parser);
/// Adds the engine options' values. Errors  InvalidArgument (no such program).
Expected<void> readEngineOptions(const QCommandLineParser &parser, ServicesConfig &config);
/// Adds the limit options' values. Errors  InvalidArgument (a number out of range).
Expected<void> readLimitOptions(const QCommandLineParser &parser, ServicesConfig &config);

/// Prints "serigraphd: <text>" to stderr, control characters of it as '?': pictures that others sent are quoted in it.
void tell(const std::string &text);
/// tell() of the message; returns the code.
int complain(const Error &error, int code);

}  // namespace sg::daemon
