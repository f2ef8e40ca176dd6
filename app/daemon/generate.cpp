#include "app/daemon/generate.h"

#include "app/daemon/command_line.h"
#include "app/daemon/commands.h"
#include "app/daemon/exit_codes.h"
#include "app/daemon/generate_options.h"
#include "app/daemon/signal_watch.h"

#include "core/base/log.h"
#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/server/generation_info.h"
#include "core/server/submission.h"

#include <QCoreApplication>
#include <QSaveFile>
#include <QTemporaryDir>
#include <QTimer>

#include <cstdio>
#include <filesystem>

namespace sg::daemon {

GenerateRun::GenerateRun(ServicesConfig config, Wish wish) : m_services(std::move(config)), m_wish(std::move(wish)) {}

int GenerateRun::run()
{
    if (Expected<void> started = m_services.start(); !started) {
        print(kExitFailed, started.error());
        return kExitFailed;
    }
    QTimer::singleShot(0, this, &GenerateRun::waitForModels);
    const int code = QCoreApplication::exec();
    m_services.stop();
    return code;
}

void GenerateRun::waitForModels()
{
    if (m_services.library().scanning()) {
        m_bar.note("looking for models ...");
        QTimer::singleShot(20, this, &GenerateRun::waitForModels);
    } else {
        submit();
    }
}

void GenerateRun::submit()
{
    ModelLibrary &library = m_services.library();
    std::error_code ignored;
    const std::string path = std::filesystem::weakly_canonical(m_wish.model, ignored).string();
    // What a picture says is a name of the library, never a path.
    const std::string named =
        m_wish.model.empty() ? m_wish.body.value("stable_diffusion_model", std::string()) : m_wish.model;
    std::optional<ModelRecord> model;
    for (const ModelRecord &known : library.models()) {
        if (known.type != "stableDiffusion") continue;
        const bool wanted = named.empty() ? known.status != "unusable" : !m_wish.model.empty() && known.path == path;
        if (wanted && !model) model = known;
    }
    if (!model && !named.empty()) model = library.find(named, "stableDiffusion");
    if (!model)
        return finish(kExitModel,
                      {ErrorCode::NotFound, named.empty() ? "there is no model" : "no such model: " + named, {}});
    m_wish.body["stable_diffusion_model"] = model->name;
    if (!m_wish.body.contains("width") && model->nativeWidth > 0) m_wish.body["width"] = model->nativeWidth;
    if (!m_wish.body.contains("height") && model->nativeHeight > 0) m_wish.body["height"] = model->nativeHeight;
    Expected<NewTask> task =
        server::makeTask(m_wish.body,
                         {.kind = m_wish.body.contains("init_images") ? TaskKind::ImageToImage : TaskKind::TextToImage,
                          .taskId = {},
                          .strict = true,
                          .stylesFile = m_services.stylesFile(),
                          .fallbackModel = {}},
                         m_services.table(), library);
    if (!task) {
        const ErrorCode code = task.error().code;
        const bool ofModel = code == ErrorCode::UnusableFile || code == ErrorCode::NotFound;
        return finish(ofModel ? kExitModel : kExitUsage, task.error());
    }
    TaskService &tasks = m_services.tasks();
    m_task.id = task->id;
    m_submitted = true;
    connect(&tasks, &TaskService::progressChanged, this, [this](const QString &id) {
        if (id.toStdString() != m_task.id) return;
        if (const auto progress = m_services.tasks().progress(m_task.id)) m_bar.show(*progress);
    });
    connect(&tasks, &TaskService::taskChanged, this, [this](const QString &id, int state) {
        if (id.toStdString() != m_task.id || !isFinal(static_cast<TaskState>(state))) return;
        m_services.tasks().find(m_task.id, this, [this](Expected<TaskRecord> record) { ended(record); });
    });
    m_bar.note("loading the model ...");
    tasks.submit(std::move(*task), this, [this](Expected<TaskRecord> stored) {
        if (!stored) finish(kExitFailed, stored.error());
    });
}

void GenerateRun::ended(const Expected<TaskRecord> &task)
{
    if (!task) return finish(kExitFailed, task.error());
    m_task = *task;
    if (m_task.state == TaskState::Cancelled) return finish(kExitCancelled, m_task.error);
    if (m_task.state == TaskState::Failed)
        return finish(m_task.error.code == ErrorCode::UnusableFile ? kExitModel : kExitFailed, m_task.error);
    readNext();
}

void GenerateRun::readNext()
{
    const std::size_t index = m_files.size();
    if (index == m_task.images.size()) return finish(kExitOk);
    m_services.tasks().readObject(m_task.images[index], this, [this, index](Expected<std::string> bytes) {
        if (!bytes) return finish(kExitFailed, bytes.error());
        const std::string path = fileName(index);
        QSaveFile file(QString::fromStdString(path));
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes->data(), static_cast<qint64>(bytes->size())) < 0 ||
            !file.commit())
            return finish(kExitFailed, {ErrorCode::Internal, path + ": " + file.errorString().toStdString(), {}});
        m_files.push_back(path);
        readNext();
    });
}

std::string GenerateRun::fileName(std::size_t index) const
{
    std::string path = m_wish.output;
    bool replaced = false;
    const auto replace = [&](const std::string &what, const std::string &with) {
        for (std::size_t at = path.find(what); at != std::string::npos; at = path.find(what, at + with.size())) {
            path.replace(at, what.size(), with);
            replaced = replaced || what == "{n}";
        }
    };
    replace("{n}", std::to_string(index + 1));
    if (index < m_task.seeds.size()) replace("{seed}", std::to_string(m_task.seeds[index]));
    if (replaced || m_task.images.size() == 1) return path;
    const std::filesystem::path whole(path);
    return (whole.parent_path() /
            (whole.stem().string() + "_" + std::to_string(index + 1) + whole.extension().string()))
        .string();
}

void GenerateRun::interrupt()
{
    if (m_interrupted || !m_submitted) return finish(kExitCancelled, {ErrorCode::Cancelled, "cancelled", {}});
    m_interrupted = true;
    m_bar.note("stopping ...");
    m_services.tasks().cancel(m_task.id, nullptr, {});
}

void GenerateRun::print(int code, const Error &error) const
{
    if (m_wish.json) {
        static constexpr const char *kStatus[] = {"succeeded", "", "failed", "failed", "failed", "cancelled"};
        Json reply = {{"status", kStatus[code]}, {"taskId", m_task.id}, {"files", m_files}};
        if (code != kExitOk) reply["code"] = errorName(error.code);
        if (code != kExitOk) reply["message"] = error.message;
        reply["parameters"] = m_task.params;
        reply["infotexts"] = m_task.infotexts;
        reply["x_notes"] = m_task.notes;
        std::printf("%s\n", dumpJson(reply).c_str());
    } else {
        for (const std::string &file : m_files)
            std::printf("%s\n", file.c_str());
    }
    for (const std::string &note : m_task.notes)
        tell(note);
    if (code != kExitOk) complain(error, code);
}

void GenerateRun::finish(int code, const Error &error)
{
    m_bar.clear();
    print(code, {error.code, inOptionWords(error, m_wish.settings), error.subject});
    QCoreApplication::exit(code);
}

int generate(const QStringList &words)
{
    QCommandLineParser parser;
    declareGenerateOptions(parser);
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    Expected<ServicesConfig> config = dataConfig(parser);
    if (!config) return complain(config.error(), kExitUsage);
    if (Expected<void> read = readEngineOptions(parser, *config); !read) return complain(read.error(), kExitUsage);
    Expected<Json> body = generateBody(parser);
    if (!body) return complain(body.error(), kExitUsage);
    GenerateRun::Wish wish{std::move(*body), parser.value(name("model")).toStdString(),
                           parser.value(name("output")).toStdString(), parser.isSet(name("json")), settingKeys(parser)};
    std::error_code ignored;
    if (std::filesystem::is_regular_file(wish.model, ignored))
        config->modelFolders.insert(config->modelFolders.begin(),
                                    std::filesystem::canonical(wish.model, ignored).string());
    QTemporaryDir temporary;
    if (!parser.isSet(name("data-dir"))) config->dataDir = temporary.path().toStdString();
    config->limits.side = 8192;
    Log::instance().setStderrLevel(LogLevel::Warning);
    SignalWatch stopSignals;
    GenerateRun run(std::move(*config), std::move(wish));
    QObject::connect(&stopSignals, &SignalWatch::asked, &run, &GenerateRun::interrupt);
    return run.run();
}

}  // namespace sg::daemon
