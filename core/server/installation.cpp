#include "core/server/installation.h"

#include <QCoreApplication>
#include <QStandardPaths>

namespace sg {
namespace {

std::filesystem::path programFolder()
{
    return QCoreApplication::applicationDirPath().toStdString();
}

}  // namespace

std::filesystem::path engineProgram()
{
    return programFolder() / "serigraph-engine";
}

std::vector<std::string> bundledModelFolders()
{
    std::vector<std::string> folders;
    for (const char *relative : {"../share/serigraph/models", "../../resources/starter"}) {
        const std::filesystem::path folder = programFolder() / relative;
        std::error_code ignored;
        if (folders.empty() && std::filesystem::exists(folder / "starter.safetensors", ignored))
            folders.push_back(std::filesystem::weakly_canonical(folder, ignored).string());
    }
    return folders;
}

std::filesystem::path defaultDataDir()
{
    return std::filesystem::path(QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation).toStdString()) /
           "serigraph";
}

}  // namespace sg
