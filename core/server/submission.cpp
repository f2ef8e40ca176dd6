#include "core/server/submission.h"

#include "core/base/ids.h"
#include "core/models/model_library.h"
#include "core/server/style_file.h"
#include "core/params/generation_request.h"
#include "core/storage/object_store.h"

#include <QCryptographicHash>

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

/// A1111's settings for this one request count as fields where a row has their name.
Json withOverrides(const Json &body, const ParamTable &table)
{
    const auto overrides = body.is_object() ? body.find("override_settings") : body.end();
    if (overrides == body.end() || !overrides->is_object()) return body;
    Json fields = body;
    for (const auto &[name, value] : overrides->items()) {
        const std::string key = name == "CLIP_stop_at_last_layers" ? "clip_skip" : name;
        if (table.find(key) && !fields.contains(key)) fields[key] = value;
    }
    return fields;
}

}  // namespace

Expected<NewTask> makeTextToImageTask(Json body, const SubmissionOptions &options, const ParamTable &table,
                                      const ModelLibrary &library)
{
    if (!options.taskId.empty() && !isTaskId(options.taskId))
        return fail(ErrorCode::InvalidArgument, "taskId must be 1 to 128 of A-Z a-z 0-9 _ -, not beginning with -",
                    "taskId");
    if (Expected<void> user = ObjectStore::checkPart(options.user); !user)
        return fail(ErrorCode::InvalidArgument, "username is not valid: " + user.error().message, "username");
    Expected<ParsedParams> parsed =
        parseParams(withOverrides(body, table), table, options.strict ? ParseMode::Strict : ParseMode::Lenient);
    if (!parsed) return Unexpected{parsed.error()};
    if (Expected<void> styled = applyStyles(options.stylesFile, *parsed); !styled) return Unexpected{styled.error()};
    Expected<ModelRecord> model = chooseModel(body, *parsed, options, library, parsed->notes);
    if (!model) return Unexpected{model.error()};
    if (model->status == "unusable")
        return fail(ErrorCode::UnusableFile, "the model cannot be used: " + model->reason, "stable_diffusion_model");
    Expected<Json> stored = storedBody(std::move(body), table);
    if (!stored) return Unexpected{stored.error()};
    NewTask task;
    task.id = options.taskId.empty() ? randomId() : options.taskId;
    task.user = options.user;
    task.model = model->name;
    task.values = std::move(parsed->values);
    task.values.set("stable_diffusion_model", model->name);
    resolveSeeds(task.values);
    task.body = std::move(*stored);
    task.notes = std::move(parsed->notes);
    return task;
}

}  // namespace sg::server
