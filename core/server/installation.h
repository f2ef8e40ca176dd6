#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sg {

/// Where things lie that belong to the program itself, installed or run from the build folder.

/// serigraph-engine beside the running program.
std::filesystem::path engineProgram();

/// Folders with the models that ship with the program: share/serigraph/models beside an installed bin/,
/// resources/starter of the source tree for build/bin/. Empty when neither is there.
std::vector<std::string> bundledModelFolders();

/// The user's data folder when none is given: $XDG_DATA_HOME/serigraph.
std::filesystem::path defaultDataDir();

}  // namespace sg
