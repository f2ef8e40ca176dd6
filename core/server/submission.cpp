#include "core/server/submission.h"

#include "core/base/ids.h"
#include "core/models/model_library.h"
#include "core/params/generation_request.h"
#include "core/params/picture_rows.h"
#include "core/params/samplers.h"
#include "core/server/builtin_scripts.h"
#include "core/server/first_pass.h"
#include "core/server/image_modes.h"
#include "core/server/request_infotext.h"
#include "core/server/strict_names.h"
#include "core/server/style_file.h"
#include "core/storage/object_store.h"

#include <QCryptographicHash>

#include <algorithm>
#include <map>

namespace sg::server {
namespace {

constexpr std::size_t kMaxStoredBody = 1u << 20;
constexpr std::size_t kLongText =
    2048;  ///< outside the parameter table, a text longer than this is a picture in base64

/// Long texts are kept as length and hash: enough to tell whether the same request comes again.
void shortenLongTexts(Json &value)
{
    if (value.is_structured()) {
        for (Json &item : value)
            shortenLongTexts(item);
    } else if (value.is_string() && value.get_ref<const std::string &>().size() > kLongText) {
        const auto &text = value.get_ref<const std::string &>();
        const QByteArray hash = QCryptographicHash::hash(
            QByteArrayView(text.data(), static_cast<qsizetype>(text.size())), QCryptographicHash::Sha256);
        value = std::to_string(text.size()) + " bytes, sha256 " + hash.toHex().toStdString();
    }
}

Expected<Json> storedBody(Json body, const ParamTable &table)
{
    for (auto &[key, value] : body.items())
        if (!table.find(key)) shortenLongTexts(value);
    if (dumpJson(body).size() > kMaxStoredBody)
        return fail(ErrorCode::TooLarge,
                    "the request without its pictures exceeds " + std::to_string(kMaxStoredBody) + " bytes");
    return body;
}

/// A1111's order: the body's own field (ours), override_settings, then the options' checkpoint, then whatever there is.
Expected<ModelRecord> chooseModel(const Json &body, const ParsedParams &parsed, const SubmissionOptions &options,
                                  const ModelLibrary &library, std::vector<std::string> &notes)
{
    const std::string &named = parsed.values.get<std::string>("stable_diffusion_model");
    if (!named.empty() || !options.modelOptional) {
        if (named.empty())
            return fail(ErrorCode::InvalidArgument, "stable_diffusion_model must name a model",
                        "stable_diffusion_model");
        if (auto found = library.find(named, "stableDiffusion")) return *found;
        return fail(ErrorCode::NotFound, "no such model", "stable_diffusion_model");
    }
    if (const auto overrides = body.find("override_settings"); overrides != body.end() && overrides->is_object()) {
        const auto wanted = overrides->find("sd_model_checkpoint");
        if (wanted != overrides->end() && wanted->is_string()) {
            if (auto found = library.find(wanted->get<std::string>(), "stableDiffusion")) return *found;
            notes.push_back("override_settings.sd_model_checkpoint is unknown: the option's checkpoint was used");
            if (options.strict) return fail(ErrorCode::InvalidArgument, notes.back(), "override_settings");
        }
    }
    if (auto found = library.find(options.fallbackModel, "stableDiffusion")) return *found;
    return fail(ErrorCode::NotFound, "there is no model yet", "sd_model_checkpoint");
}

Expected<void> checkNames(const SubmissionOptions &options)
{
    if (!options.taskId.empty() && !isTaskId(options.taskId))
        return fail(ErrorCode::InvalidArgument, "taskId must be 1 to 128 of A-Z a-z 0-9 _ -, not beginning with -",
                    "taskId");
    if (Expected<void> user = ObjectStore::checkPart(options.user); !user)
        return fail(ErrorCode::InvalidArgument, "username is not valid: " + user.error().message, "username");
    return {};
}

/// A1111's settings that are stored, and those of this one request that the parser does not know by A1111's name, count
/// as fields, and its mask_blur is both directions. At our own doors aliases of samplers are their names.
void addOverrides(const Json &body, const ParamTable &rows, const SubmissionOptions &options, Json &fields)
{
    if (const auto overrides = body.find("override_settings"); overrides != body.end() && overrides->is_object())
        if (const auto skip = overrides->find("CLIP_stop_at_last_layers"); skip != overrides->end())
            if (!fields.contains("clip_skip")) fields["clip_skip"] = *skip;
    for (const auto &[key, value] : options.settings.items())
        if (rows.find(key) && !fields.contains(key)) fields[key] = value;
    // A1111 lists aliases of samplers and does not take them; at its doors they stay unknown names.
    for (const char *key : {"sampler_name", "sampler_index", "hr_sampler_name"})
        if (const auto named = fields.find(key); !options.modelOptional && named != fields.end() && named->is_string())
            *named = withoutAlias(named->get<std::string>());
    if (const auto blur = body.find("mask_blur"); options.modelOptional && blur != body.end() && blur->is_number())
        for (const char *key : {"mask_blur_x", "mask_blur_y"})
            fields.erase(key);
}

/// What is read of A1111's scripts takes some pictures' fields off the body: those pictures are not kept either.
void leaveOut(std::vector<RequestPicture> &pictures, const Json &fields, std::vector<std::string> &notes)
{
    std::erase_if(pictures, [&](const RequestPicture &picture) {
        if (fields.contains(picture.row)) return false;
        notes.push_back(picture.row + " was left out: outpainting makes its own mask");
        return true;
    });
}

/// A body as the parser gets it, and what else was read of it.
struct ReadBody {
    Json fields;
    std::vector<RequestPicture> pictures;
    std::vector<std::string> fromInfotext;  ///< rows
    std::vector<std::string> notes;
};

/// What A1111 and this server say in other ways than by a row: scripts, an infotext, settings, sizes.
Expected<void> readFields(const Json &body, const ParamTable &rows, const SubmissionOptions &options,
                          const ModelLibrary &library, ReadBody &read)
{
    read.fields = body;
    if (options.modelOptional)
        if (Expected<void> scripts = readBuiltinScripts(read.fields, rows); !scripts) return scripts;
    Expected<std::vector<std::string>> filled =
        fillFromInfotext(read.fields, rows, library, options.strict, read.notes);
    if (!filled) return Unexpected{filled.error()};
    read.fromInfotext = std::move(*filled);
    if (Expected<void> first = readFirstPass(read.fields, rows); !first) return first;
    addOverrides(body, rows, options, read.fields);
    if (options.kind != TaskKind::ImageToImage) return {};
    if (options.modelOptional) {
        if (Expected<void> scripts = readScripts(read.fields, read.pictures, read.notes); !scripts) return scripts;
        leaveOut(read.pictures, read.fields, read.notes);
    }
    return sizeForOutpainting(read.fields, read.pictures, rows.limits().side);
}

Expected<void> checkStart(const ParsedParams &parsed, const SubmissionOptions &options)
{
    if (options.kind != TaskKind::ImageToImage) return {};
    if (!parsed.values.get<std::vector<std::string>>("init_images").empty()) return {};
    if (options.modelOptional) return fail(ErrorCode::NotFound, "Init image not found", "init_images");
    return fail(ErrorCode::InvalidArgument, "init_images must have at least one picture", "init_images");
}

/// The checkpoints that a task may have besides its model, by the names that the library gives them. What clients send
/// for "none" becomes nothing.
Expected<void> resolveOtherModels(ParamValues &values, const ModelLibrary &library)
{
    for (const char *key : {"refiner_checkpoint", "hr_checkpoint_name"}) {
        const ParamValue *held = values.find(key);
        if (!held) continue;
        std::string name = std::get<std::string>(*held);
        if (name == "None" || name == "none" || name == kSameCheckpoint) name.clear();
        // Saved bodies carry old names along; without hires fix they mean nothing.
        if (key == std::string_view("hr_checkpoint_name") && !values.get<bool>("enable_hr")) name.clear();
        if (!name.empty()) {
            const std::optional<ModelRecord> model = library.find(name, "stableDiffusion");
            if (!model) return fail(ErrorCode::NotFound, "there is no checkpoint named \"" + name + "\"", key);
            if (model->status == "unusable")
                return fail(ErrorCode::UnusableFile, "the model cannot be used: " + model->reason, key);
            name = model->name;
        }
        values.set(key, name);
    }
    return {};
}

/// A1111's own names of Real-ESRGAN's releases, which its clients and pictures say: the files' names.
std::string fileOfRelease(const std::string &name)
{
    static const std::map<std::string, std::string> files{{"R-ESRGAN 4x+", "RealESRGAN_x4plus"},
                                                          {"R-ESRGAN 4x+ Anime6B", "RealESRGAN_x4plus_anime_6B"},
                                                          {"R-ESRGAN 2x+", "RealESRGAN_x2plus"},
                                                          {"R-ESRGAN General 4xV3", "realesr-general-x4v3"},
                                                          {"R-ESRGAN General WDN 4xV3", "realesr-general-wdn-x4v3"},
                                                          {"R-ESRGAN AnimeVideo", "realesr-animevideov3"}};
    const auto found = files.find(name);
    return found == files.end() ? name : found->second;
}

/// Rows whose choices are files as well: their names as the library has them.
Expected<void> resolveFiles(ParamValues &values, const ParamTable &rows, const ModelLibrary &library)
{
    for (const ParamSpec &spec : rows.specs()) {
        const ParamValue *held = spec.modelType.empty() ? nullptr : values.find(spec.key);
        if (!held) continue;
        const std::string &name = std::get<std::string>(*held);
        if (std::find(spec.choices.begin(), spec.choices.end(), name) != spec.choices.end()) continue;
        const bool wanted = spec.onlyWith.empty() ||
                            std::any_of(spec.onlyWith.begin(), spec.onlyWith.end(), [&](const std::string &key) {
                                const ParamValue *other = values.find(key);
                                return other && asksForSomething(*other);
                            });
        std::optional<ModelRecord> file = library.find(name, spec.modelType);
        if (!file) file = library.find(fileOfRelease(name), spec.modelType);
        if (wanted && !file)
            return fail(ErrorCode::InvalidArgument,
                        spec.key + " must be one of the known names or of a file, not \"" + name.substr(0, 80) + "\"",
                        spec.key);
        if (wanted && file->status == "unusable")
            return fail(ErrorCode::UnusableFile, file->name + " cannot be used: " + file->reason, spec.key);
        // Saved bodies carry old names along; where they mean nothing, they may be gone.
        values.set(spec.key, file ? ParamValue(file->name) : spec.defaultValue);
    }
    return {};
}

Expected<NewTask> taskFrom(Json body, const SubmissionOptions &options, const ParamTable &rows,
                           const ModelLibrary &library, ReadBody &read)
{
    NewTask task;
    task.id = options.taskId.empty() ? randomId() : options.taskId;
    task.user = options.user;
    task.pictures = namePictures(std::move(read.pictures), task.id, rows, read.fields);
    Expected<ParsedParams> parsed =
        parseParams(read.fields, rows, options.strict ? ParseMode::Strict : ParseMode::Lenient);
    if (!parsed) return Unexpected{parsed.error()};
    parsed->notes.insert(parsed->notes.end(), read.notes.begin(), read.notes.end());
    if (Expected<void> start = checkStart(*parsed, options); !start) return Unexpected{start.error()};
    if (Expected<void> styled = applyStyles(options.stylesFile, *parsed); !styled) return Unexpected{styled.error()};
    Expected<ModelRecord> model = chooseModel(body, *parsed, options, library, parsed->notes);
    if (!model) return Unexpected{model.error()};
    if (model->status == "unusable")
        return fail(ErrorCode::UnusableFile, "the model cannot be used: " + model->reason, "stable_diffusion_model");
    if (Expected<void> others = resolveOtherModels(parsed->values, library); !others) return Unexpected{others.error()};
    if (Expected<void> files = resolveFiles(parsed->values, rows, library); !files) return Unexpected{files.error()};
    if (options.strict)
        if (Expected<void> named = requireNamedFiles(parsed->values, library); !named) return Unexpected{named.error()};
    Expected<Json> stored = storedBody(std::move(body), rows);
    if (!stored) return Unexpected{stored.error()};
    task.model = model->name;
    task.values = std::move(parsed->values);
    task.values.set("stable_diffusion_model", model->name);
    resolveSeeds(task.values);
    task.body = std::move(*stored);
    task.notes = std::move(parsed->notes);
    return task;
}

}  // namespace

Expected<NewTask> makeTask(Json body, const SubmissionOptions &options, const ParamTable &table,
                           const ModelLibrary &library)
{
    if (Expected<void> names = checkNames(options); !names) return Unexpected{names.error()};
    if (!body.is_object()) return fail(ErrorCode::InvalidArgument, "the body must be a JSON object");
    const ParamTable rows = table.only(options.kind);
    Expected<std::vector<RequestPicture>> pictures = takePictures(body, rows, options.stored);
    if (!pictures) return Unexpected{pictures.error()};
    ReadBody read;
    read.pictures = std::move(*pictures);
    if (Expected<void> fields = readFields(body, rows, options, library, read); !fields)
        return Unexpected{namingInfotext(fields.error(), read.fromInfotext)};
    Expected<NewTask> task = taskFrom(std::move(body), options, rows, library, read);
    if (!task) return Unexpected{namingInfotext(task.error(), read.fromInfotext)};
    return task;
}

}  // namespace sg::server
