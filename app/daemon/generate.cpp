#include "app/daemon/generate.h"

#include "app/daemon/command_line.h"
#include "app/daemon/commands.h"
#include "app/daemon/exit_codes.h"
#include "app/daemon/signal_watch.h"

#include "core/base/base64.h"
#include "core/base/log.h"
#include "core/control/task_service.h"
#include "core/models/model_library.h"
#include "core/params/param_values.h"
#include "core/picture/infotext.h"
#include "core/picture/picture_header.h"
#include "core/server/generation_info.h"
#include "core/server/submission.h"

#include <QCoreApplication>
#include <QFile>
#include <QSaveFile>
#include <QTemporaryDir>
#include <QTimer>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace sg::daemon {
namespace {

/// Option, parameter, help. Values are checked by the parameter table, as the API's are.
struct ParamOption {
    const char *option;
    const char *key;
    const char *help;
};

constexpr ParamOption kParams[] = {
    {"prompt", "prompt", "What the picture shows."},
    {"negative", "negative_prompt", "What it should not show."},
    {"styles", "styles", "Names of styles (styles.csv of the data folder), joined by commas."},
    {"sampler", "sampler_name", "Sampler, such as \"Euler a\"."},
    {"scheduler", "scheduler", "Schedule, such as Karras."},
    {"steps", "steps", "Steps."},
    {"cfg", "cfg_scale", "How closely the picture follows the prompt."},
    {"width", "width", "Width in pixels."},
    {"height", "height", "Height in pixels."},
    {"seed", "seed", "Seed; -1 takes a random one."},
    {"batch", "batch_size", "How many pictures."},
};

/// Those of start pictures and hires fix: part of the request only when they are given.
constexpr ParamOption kPictureParams[] = {
    {"strength", "denoising_strength", "How far the result may move away from the start: 0 to 1."},
    {"resize-mode", "resize_mode", "Stretch, crop or fill a start picture of another shape: a name or its number."},
    {"mask-blur", "mask_blur", "How softly the mask ends, in pixels."},
    {"fill", "inpainting_fill", "What fills the masked part first: fill, original, latent noise, latent nothing."},
    {"padding", "inpaint_full_res_padding", "Surroundings of the masked area, in pixels."},
    {"vae", "sd_vae", "The autoencoder: a file's name, Automatic or None."},
    {"clip-skip", "clip_skip", "Which layer of the text encoder is read, counted from the last."},
    {"refiner", "refiner_checkpoint", "A checkpoint that makes the last steps."},
    {"refiner-switch-at", "refiner_switch_at", "How far the noise must have gone before it takes over: 0 to 1."},
    {"hires-checkpoint", "hr_checkpoint_name", "A checkpoint for the second pass."},
    {"hires-sampler", "hr_sampler_name", "Sampler of the second pass."},
    {"hires-scheduler", "hr_scheduler", "Schedule of the second pass."},
    {"hires-prompt", "hr_prompt", "Prompt of the second pass."},
    {"hires-scale", "hr_scale", "How much larger hires fix draws."},
    {"hires-upscaler", "hr_upscaler", "Latent, Lanczos, …"},
    {"hires-steps", "hr_second_pass_steps", "Steps of the second pass; 0 is as many as the first."},
};

/// Options without a value: the flag that they switch on or, for "whole-picture", off.
struct FlagOption {
    const char *option;
    const char *key;
    bool value;
    const char *help;
};

constexpr FlagOption kFlags[] = {
    {"only-masked", "inpaint_full_res", true, "Draws the masked part alone at the full size and puts it back."},
    {"whole-picture", "inpaint_full_res", false, "Draws the whole picture, masked or not (the default)."},
    {"invert-mask", "inpainting_mask_invert", true, "Black is drawn anew instead of white."},
    {"colour-correction", "img2img_color_correction", true, "Gives the result the colours of the start picture."},
    {"exact-steps", "img2img_fix_steps", true, "Makes exactly the steps asked for."},
    {"hires", "enable_hr", true, "Hires fix: draws small first, then larger from there."},
};

void declare(QCommandLineParser &parser)
{
    parser.setApplicationDescription(
        name("Draws pictures and exits: 0 done, 2 wrong usage, 3 no such or no usable model, 4 failed, 5 cancelled."));
    addDataOptions(parser);
    const ParamTable &table = ParamTable::standard();
    for (const ParamOption &option : kParams) {
        const ParamValue &form = table.find(option.key)->formValue;
        const std::string shown =
            std::holds_alternative<std::string>(form) ? std::get<std::string>(form) : dumpJson(toJson(form));
        parser.addOption({name(option.option), name(option.help), name("value"), QString::fromStdString(shown)});
    }
    for (const ParamOption &option : kPictureParams)
        parser.addOption({name(option.option), QString::fromUtf8(option.help), name("value")});
    for (const FlagOption &option : kFlags)
        parser.addOption({name(option.option), name(option.help)});
    parser.addOption({name("set"), name("Any other field of docs/parameters.md; several times."), name("field=value")});
    parser.addOption({name("init"), name("Start picture; several times: one of a batch each."), name("file")});
    parser.addOption(
        {name("like"), name("Picture of ours or A1111's: its infotext says what no other option does."), name("file")});
    parser.addOption({name("mask"), name("Picture whose white part is drawn anew."), name("file")});
    parser.addOption({name("latent-mask"), name("Another mask for the latents, beside --mask."), name("file")});
    parser.addOption(
        {name("model"), name("Name or file of the checkpoint; normally the first there is."), name("name")});
    parser.addOption({{name("o"), name("output")},
                      name("File to write; {n} and {seed} are replaced."),
                      name("file"),
                      name("out.png")});
    parser.addOption({name("json"), name("One JSON object on stdout instead of file names.")});
    addEngineOptions(parser);
}

/// The option's text as the row's value; the names of numbered choices are taken in any case.
Expected<Json> valueOf(const ParamOption &option, const ParamSpec &spec, const std::string &text)
{
    const bool number = spec.type == ParamType::Integer || spec.type == ParamType::Number;
    if (!number) return Json(text);
    for (std::size_t i = 0; i < spec.choices.size(); ++i)
        if (QString::fromStdString(spec.choices[i]).compare(QString::fromStdString(text), Qt::CaseInsensitive) == 0)
            return Json(static_cast<std::int64_t>(spec.minimum) + static_cast<std::int64_t>(i));
    Expected<Json> value = parseJson(text);
    if (value && value->is_number()) return value;
    std::string rule = "a number";
    for (const std::string &choice : spec.choices)
        rule += ", \"" + choice + "\"";
    return fail(ErrorCode::InvalidArgument,
                "--" + std::string(option.option) + " must be " + rule + ", not \"" + text + "\"");
}

/// --set KEY=VALUE: any row of the parameter table.
Expected<void> addSetting(const std::string &text, const ParamTable &table, Json &body)
{
    const std::size_t equals = text.find('=');
    const std::string key = text.substr(0, equals);
    const ParamSpec *spec = equals == std::string::npos ? nullptr : table.find(key);
    if (!spec || spec->isPicture())
        return fail(ErrorCode::InvalidArgument,
                    "--set must be KEY=VALUE with a field of docs/parameters.md that is no picture, not \"" + text +
                        "\"",
                    "set");
    const std::string value = text.substr(equals + 1);
    if (spec->type == ParamType::Flag) {
        if (value != "true" && value != "false")
            return fail(ErrorCode::InvalidArgument, "--set " + key + " must be true or false, not \"" + value + "\"",
                        key);
        body[key] = value == "true";
        return {};
    }
    const std::string option = "set " + key;
    Expected<Json> read = valueOf({option.c_str(), spec->key.c_str(), ""}, *spec, value);
    if (!read) return Unexpected{read.error()};
    body[key] = std::move(*read);
    return {};
}

Expected<std::string> readPictureFile(const QString &path, const char *option)
{
    const auto refuse = [&](ErrorCode code, const std::string &why) {
        return fail(code, "--" + std::string(option) + " " + path.toStdString() + ": " + why, option);
    };
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly)) return refuse(ErrorCode::NotFound, file.errorString().toStdString());
    if (file.size() > qint64{server::kMaxRequestPictureBytes})
        return refuse(ErrorCode::TooLarge, "larger than " + std::to_string(server::kMaxRequestPictureBytes) + " bytes");
    std::string bytes = file.readAll().toStdString();
    if (const Expected<PictureHeader> header = readPictureHeader(bytes); !header)
        return refuse(header.error().code, header.error().message);
    return bytes;
}

/// Adds start pictures and mask. Without a size of its own the picture keeps the first start picture's.
Expected<void> addPictures(const QCommandLineParser &parser, Json &body)
{
    const QStringList inits = parser.values(name("init"));
    if (inits.isEmpty() && parser.isSet(name("mask")))
        return fail(ErrorCode::InvalidArgument, "--mask needs --init, the picture that it belongs to", "mask");
    for (const QString &path : inits) {
        const Expected<std::string> bytes = readPictureFile(path, "init");
        if (!bytes) return Unexpected{bytes.error()};
        const Expected<PictureHeader> header = readPictureHeader(*bytes);
        if (!body.contains("width")) body["width"] = std::max(header->width / 8 * 8, 8);
        if (!body.contains("height")) body["height"] = std::max(header->height / 8 * 8, 8);
        body["init_images"].push_back(encodeBase64(*bytes));
    }
    for (const auto &[option, key] : {std::pair("mask", "mask"), {"latent-mask", "latent_mask"}}) {
        if (!parser.isSet(name(option))) continue;
        const Expected<std::string> bytes = readPictureFile(parser.value(name(option)), option);
        if (!bytes) return Unexpected{bytes.error()};
        body[key] = encodeBase64(*bytes);
    }
    return {};
}

/// What the infotext of --like says. Errors  NotFound, TooLarge, UnusableFile, and InvalidArgument without an infotext.
Expected<Json> bodyLike(const QCommandLineParser &parser)
{
    if (!parser.isSet(name("like"))) return Json::object();
    const QString path = parser.value(name("like"));
    const Expected<std::string> bytes = readPictureFile(path, "like");
    if (!bytes) return Unexpected{bytes.error()};
    const std::string text = infotextIn(*bytes);
    if (text.empty())
        return fail(ErrorCode::InvalidArgument, "--like " + path.toStdString() + ": has no infotext in it", "like");
    Expected<ParsedInfotext> parsed = parseInfotext(text);
    if (!parsed) return Unexpected{parsed.error()};
    for (const std::string &note : parsed->notes)
        std::fprintf(stderr, "serigraphd: --like: %s\n", note.c_str());
    return std::move(parsed->params);
}

/// The request's body from the options. Width and height that were not given stay out: the model's own size takes their
/// place.
Expected<Json> bodyFrom(const QCommandLineParser &parser)
{
    const ParamTable &table = ParamTable::standard();
    Expected<Json> like = bodyLike(parser);
    if (!like) return like;
    Json body = std::move(*like);
    const auto add = [&](const ParamOption &option) -> Expected<void> {
        const ParamSpec &spec = *table.find(option.key);
        Expected<Json> value = valueOf(option, spec, parser.value(name(option.option)).toStdString());
        if (!value) return Unexpected{value.error()};
        body[option.key] = std::move(*value);
        return {};
    };
    for (const ParamOption &option : kParams) {
        const std::string_view key = option.key;
        const bool given = parser.isSet(name(option.option));
        if (!given && (body.contains(key) || key == "width" || key == "height")) continue;
        if (Expected<void> added = add(option); !added) return Unexpected{added.error()};
    }
    for (const ParamOption &option : kPictureParams) {
        if (!parser.isSet(name(option.option))) continue;
        if (Expected<void> added = add(option); !added) return Unexpected{added.error()};
    }
    if (parser.isSet(name("mask")))
        // What the form would begin with, not the API's older defaults.
        for (const char *key : {"inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding"})
            if (!body.contains(key)) body[key] = toJson(table.find(key)->formValue);
    for (const FlagOption &option : kFlags)
        if (parser.isSet(name(option.option))) body[option.key] = option.value;
    if (Expected<void> added = addPictures(parser, body); !added) return Unexpected{added.error()};
    for (const QString &setting : parser.values(name("set")))
        if (Expected<void> added = addSetting(setting.toStdString(), table, body); !added)
            return Unexpected{added.error()};
    return body;
}

}  // namespace

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
    std::optional<ModelRecord> model;
    for (const ModelRecord &known : library.models()) {
        if (known.type != "stableDiffusion") continue;
        const bool wanted = m_wish.model.empty() ? known.status != "unusable" : known.path == path;
        if (wanted && !model) model = known;
    }
    if (!model && !m_wish.model.empty()) model = library.find(m_wish.model, "stableDiffusion");
    if (!model)
        return finish(
            kExitModel,
            {ErrorCode::NotFound, m_wish.model.empty() ? "there is no model" : "no such model: " + m_wish.model, {}});
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
        std::printf("%s\n", dumpJson(reply).c_str());
    } else {
        for (const std::string &file : m_files)
            std::printf("%s\n", file.c_str());
    }
    if (code != kExitOk) complain(error, code);
}

void GenerateRun::finish(int code, const Error &error)
{
    m_bar.clear();
    print(code, error);
    QCoreApplication::exit(code);
}

int generate(const QStringList &words)
{
    QCommandLineParser parser;
    declare(parser);
    if (Expected<void> parsed = parseWords(parser, words); !parsed) return complain(parsed.error(), kExitUsage);
    Expected<ServicesConfig> config = dataConfig(parser);
    if (!config) return complain(config.error(), kExitUsage);
    if (Expected<void> read = readEngineOptions(parser, *config); !read) return complain(read.error(), kExitUsage);
    Expected<Json> body = bodyFrom(parser);
    if (!body) return complain(body.error(), kExitUsage);
    std::string model = parser.value(name("model")).toStdString();
    if (model.empty()) model = body->value("stable_diffusion_model", model);
    GenerateRun::Wish wish{std::move(*body), std::move(model), parser.value(name("output")).toStdString(),
                           parser.isSet(name("json"))};
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
