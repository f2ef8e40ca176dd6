#pragma once

#include <QStringList>

namespace sg::daemon {

/// One function a subcommand; `words` begins with the program's name. Returns the exit code.
int serve(const QStringList &words);
int generate(const QStringList &words);
int listModels(const QStringList &words);
int listTasks(const QStringList &words);

}  // namespace sg::daemon
