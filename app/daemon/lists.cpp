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
#include <future>
#include <utility>

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
                            {"variant", model.variant},
                            {"sha256", model.sha256},
                            {"reason", model.reason},
                            {"choices", choicesJson(model.choices)}});
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

void addChoiceOptions(QCommandLineParser &parser)
{
    parser.addOption({name("choose"),
                      name("Says of this checkpoint what the options below say, in the place of what was chosen "
                           "before; the data folder remembers it."),
                      name("name")});
    parser.addOption({name("family"), name("sd1, sd2, sdxl or sdxl-refiner: refused where the tensors contradict it."),
                      name("family"), name("automatic")});
    parser.addOption({name("prediction"), name("epsilon or v."), name("kind"), name("automatic")});
    parser.addOption({name("zero-terminal-snr"), name("on or off."), name("switch"), name("automatic")});
    parser.addOption(
        {name("ema"), name("on: the UNet's weights are the file's EMA weights."), name("switch"), name("automatic")});
}

Expected<ModelChoices> choicesOf(const QCommandLineParser &parser)
{
    const auto flag = [](const std::string &text) {
        return text == "on" ? Json(true) : text == "off" ? Json(false) : Json(text);
    };
    const auto value = [&](const char *option) { return parser.value(name(option)).toStdString(); };
    return parseModelChoices({{"family", value("family")},
                              {"prediction", value("prediction")},
                              {"zeroTerminalSnr", flag(value("zero-terminal-snr"))},
                              {"ema", flag(value("ema"))}});
}

/// Without a data folder nothing would be remembered, and without a name nobody would be meant.
Expected<void> checkChoice(const QCommandLineParser &parser)
{
    if (parser.isSet(name("choose")) && !parser.isSet(name("data-dir")))
        return fail(ErrorCode::InvalidArgument, "--choose needs --data-dir, the folder that remembers it");
    for (const char *option : {"family", "prediction", "zero-terminal-snr", "ema"})
        if (parser.isSet(name(option)) && !parser.isSet(name("choose")))
            return fail(ErrorCode::InvalidArgument,
                        "--" + std::string(option) + " needs --choose, the checkpoint that it is said of");
    return {};
}

Expected<void> choose(const QCommandLineParser &parser, ModelLibrary &library)
{
    const Expected<ModelChoices> choices = choicesOf(parser);
    if (!choices) return Unexpected{choices.error()};
    std::promise<Expected<ModelRecord>> chosen;
    library.choose(parser.value(name("choose")).toStdString(), *choices, nullptr,
                   [&](Expected<ModelRecord> model) { chosen.set_value(std::move(model)); });
    const Expected<ModelRecord> model = chosen.get_future().get();
    if (!model) return Unexpected{model.error()};
    return {};
}

}  // namespace

int listModels(const QStringList &words)
{
    QCommandLineParser parser;
    parser.setApplicationDescription(name("Lists the models of the given folders, and of a data folder's."));
    addDataOptions(parser);
    addChoiceOptions(parser);
    parser.addOption({name("json"), name("One JSON array.")});
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    if (Expected<void> good = checkChoice(parser); !good) return complain(good.error(), kExitUsage);
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
    if (parser.isSet(name("choose")))
        if (Expected<void> chosen = choose(parser, library); !chosen) return complain(chosen.error(), kExitUsage);
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
