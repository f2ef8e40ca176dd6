#include "app/daemon/command_line.h"
#include "app/daemon/commands.h"
#include "app/daemon/exit_codes.h"

#include "core/base/log.h"
#include "core/control/task_queue.h"
#include "core/models/model_library.h"
#include "core/storage/data_dir_lock.h"

#include <QDateTime>
#include <QTemporaryDir>
#include <QThread>

#include <cstdio>

namespace sg::daemon {
namespace {

void printModels(const std::vector<ModelRecord> &models, bool json)
{
    Json list = Json::array();
    for (const ModelRecord &model : models) {
        if (json)
            list.push_back({{"type", model.type},
                            {"name", model.name},
                            {"path", model.path},
                            {"size", model.size},
                            {"status", model.status},
                            {"family", model.family},
                            {"sha256", model.sha256},
                            {"reason", model.reason}});
        else
            std::printf("%-16s %-10s %9.1f MB  %s\n", model.type.c_str(), model.status.c_str(),
                        static_cast<double>(model.size) / 1e6, model.name.c_str());
    }
    if (json) std::printf("%s\n", dumpJson(list).c_str());
}

void printTasks(const std::vector<TaskRecord> &tasks, bool json)
{
    Json list = Json::array();
    for (const TaskRecord &task : tasks) {
        const std::string status(taskStateName(task.state));
        const std::string created =
            QDateTime::fromMSecsSinceEpoch(task.createdMs, Qt::UTC).toString(Qt::ISODate).toStdString();
        if (json)
            list.push_back({{"taskId", task.id},
                            {"status", status},
                            {"user", task.user},
                            {"model", task.model},
                            {"created", created},
                            {"images", task.images},
                            {"message", task.error.message}});
        else
            std::printf("%s  %-9s  %s  %s\n", created.c_str(), status.c_str(), task.id.c_str(), task.model.c_str());
    }
    if (json) std::printf("%s\n", dumpJson(list).c_str());
}

}  // namespace

int listModels(const QStringList &words)
{
    QCommandLineParser parser;
    parser.setApplicationDescription(name("Lists the models of the given folders, and of a data folder's."));
    addDataOptions(parser);
    parser.addOption({name("json"), name("One JSON array.")});
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    const Expected<ServicesConfig> config = dataConfig(parser);
    if (!config) return complain(config.error(), kExitUsage);
    Log::instance().setStderrLevel(LogLevel::Warning);
    QTemporaryDir temporary;
    const std::filesystem::path folder =
        parser.isSet(name("data-dir")) ? config->dataDir : std::filesystem::path(temporary.path().toStdString());
    const auto lock = DataDirLock::acquire(folder);
    if (!lock) return complain(lock.error(), kExitFailed);
    ModelLibrary library(folder / "serigraph.db");
    for (const std::string &path : config->modelFolders)
        library.addPath(path, false, nullptr, [](Expected<void>) {});
    while (library.scanning())
        QThread::msleep(20);
    printModels(library.models(), parser.isSet(name("json")));
    return kExitOk;
}

int listTasks(const QStringList &words)
{
    QCommandLineParser parser;
    parser.setApplicationDescription(name("Lists the tasks of a data folder that no server uses, newest first."));
    addDataOptions(parser);
    parser.addOption({name("limit"), name("How many."), name("number"), name("20")});
    parser.addOption({name("json"), name("One JSON array.")});
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    const Expected<ServicesConfig> config = dataConfig(parser);
    if (!config) return complain(config.error(), kExitUsage);
    const auto limit = integerOption(parser, name("limit"), 1, 1'000'000);
    if (!limit) return complain(limit.error(), kExitUsage);
    Log::instance().setStderrLevel(LogLevel::Warning);
    const auto lock = DataDirLock::acquire(config->dataDir);
    if (!lock) return complain(lock.error(), kExitFailed);
    Expected<std::unique_ptr<Database>> database = Database::open(config->dataDir / "serigraph.db");
    if (!database) return complain(database.error(), kExitFailed);
    WaitingList waiting;
    TaskQueue queue(**database, waiting, ParamTable::standard(), {});
    const Expected<std::vector<TaskRecord>> tasks = queue.list(static_cast<int>(*limit), 0);
    if (!tasks) return complain(tasks.error(), kExitFailed);
    printTasks(*tasks, parser.isSet(name("json")));
    return kExitOk;
}

}  // namespace sg::daemon
