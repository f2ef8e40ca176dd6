#include "ui/client/api_decode.h"

#include <QDateTime>

#include <array>
#include <utility>

namespace sg::ui {
namespace {

QString text(const Json &json, const char *key)
{
    const auto it = json.find(key);
    return it != json.end() && it->is_string() ? QString::fromStdString(it->get_ref<const std::string &>()) : QString();
}

template <class T>
T number(const Json &json, const char *key, T fallback = {})
{
    const auto it = json.find(key);
    return it != json.end() && it->is_number() ? it->get<T>() : fallback;
}

bool flag(const Json &json, const char *key)
{
    const auto it = json.find(key);
    return it != json.end() && it->is_boolean() && it->get<bool>();
}

QStringList texts(const Json &json, const char *key)
{
    QStringList list;
    const auto it = json.find(key);
    if (it == json.end() || !it->is_array()) return list;
    for (const Json &entry : *it)
        if (entry.is_string()) list.append(QString::fromStdString(entry.get_ref<const std::string &>()));
    return list;
}

Unexpected wrongShape(const char *what)
{
    return fail(ErrorCode::Internal, std::string("the server's answer has no ") + what, what);
}

constexpr std::array<std::pair<std::string_view, ParamType>, 7> kTypes{{{"flag", ParamType::Flag},
                                                                        {"integer", ParamType::Integer},
                                                                        {"number", ParamType::Number},
                                                                        {"text", ParamType::Text},
                                                                        {"choice", ParamType::Choice},
                                                                        {"picture", ParamType::Picture},
                                                                        {"pictures", ParamType::Pictures}}};
constexpr std::array<std::pair<std::string_view, ParamGroup>, 8> kGroups{{{"prompt", ParamGroup::Prompt},
                                                                          {"model", ParamGroup::Model},
                                                                          {"sampling", ParamGroup::Sampling},
                                                                          {"size", ParamGroup::Size},
                                                                          {"seed", ParamGroup::Seed},
                                                                          {"batch", ParamGroup::Batch},
                                                                          {"imageToImage", ParamGroup::ImageToImage},
                                                                          {"hiresFix", ParamGroup::HiresFix}}};

template <class T, std::size_t N>
bool lookUp(const std::array<std::pair<std::string_view, T>, N> &names, const std::string &name, T &value)
{
    for (const auto &[known, meaning] : names)
        if (known == name) {
            value = meaning;
            return true;
        }
    return false;
}

Expected<ParamSpec> decodeSpec(const Json &json)
{
    ParamSpec spec;
    spec.key = text(json, "key").toStdString();
    spec.label = text(json, "label").toStdString();
    spec.help = text(json, "help").toStdString();
    spec.unit = text(json, "unit").toStdString();
    spec.infotextKey = text(json, "infotextKey").toStdString();
    if (spec.key.empty()) return wrongShape("key");
    if (!lookUp(kTypes, text(json, "type").toStdString(), spec.type)) return wrongShape("type");
    lookUp(kGroups, text(json, "group").toStdString(), spec.group);
    spec.minimum = number<double>(json, "minimum");
    spec.maximum = number<double>(json, "maximum");
    spec.step = number<double>(json, "step", 1);
    spec.multipleOf = number<std::int64_t>(json, "multipleOf", 1);
    spec.option = json.value("option", Json(false)) == true;
    spec.infotextAlways = json.value("infotextAlways", Json(false)) == true;
    for (const QString &choice : texts(json, "choices"))
        spec.choices.push_back(choice.toStdString());
    spec.modelType = text(json, "modelType").toStdString();
    for (const QString &value : texts(json, "infotextValues"))
        spec.infotextValues.push_back(value.toStdString());
    for (const QString &key : texts(json, "onlyWith"))
        spec.onlyWith.push_back(key.toStdString());
    spec.textToImage = json.value("textToImage", Json(true)) != false;
    spec.imageToImage = json.value("imageToImage", Json(true)) != false;
    for (const auto &[key, target] : {std::pair{"default", &spec.defaultValue}, std::pair{"form", &spec.formValue}}) {
        const auto it = json.find(key);
        if (it == json.end()) return wrongShape(key);
        Expected<ParamValue> value = valueFromJson(spec, *it);
        if (!value) return Unexpected{value.error()};
        *target = std::move(*value);
    }
    return spec;
}

}  // namespace

Expected<std::vector<ModelInfo>> decodeModels(const Json &json)
{
    if (!json.is_array()) return wrongShape("list of models");
    std::vector<ModelInfo> models;
    models.reserve(json.size());
    for (const Json &row : json) {
        if (!row.is_object()) return wrongShape("model");
        ModelInfo model;
        model.type = text(row, "type");
        model.name = text(row, "name");
        model.path = text(row, "ossPath");
        model.hash = text(row, "etag");
        model.status = text(row, "status");
        model.reason = text(row, "reason");
        model.family = text(row, "family");
        model.variant = text(row, "variant");
        model.title = text(row, "title");
        model.description = text(row, "description");
        model.size = number<std::int64_t>(row, "size");
        model.width = number<int>(row, "width");
        model.height = number<int>(row, "height");
        if (const auto choices = row.find("choices"); choices != row.end() && choices->is_object())
            model.choices = *choices;
        models.push_back(std::move(model));
    }
    return models;
}

Expected<Submitted> decodeSubmitted(const Json &json)
{
    const Submitted submitted{text(json, "taskId"), text(json, "status"), texts(json, "x_notes")};
    if (submitted.taskId.isEmpty()) return wrongShape("taskId");
    return submitted;
}

Expected<TaskProgressInfo> decodeProgress(const Json &json)
{
    if (!json.is_object()) return wrongShape("progress");
    TaskProgressInfo progress;
    progress.status = text(json, "status");
    progress.fraction = number<double>(json, "progress");
    progress.etaSeconds = number<double>(json, "etaRelative");
    progress.rate = number<double>(json, "rate");
    progress.position = number<int>(json, "position");
    if (const auto loading = json.find("loading"); loading != json.end() && loading->is_number())
        progress.loading = loading->get<double>();
    if (const auto state = json.find("state"); state != json.end() && state->is_object()) {
        progress.step = number<int>(*state, "sampling_step");
        progress.steps = number<int>(*state, "sampling_steps");
    }
    progress.preview = QByteArray::fromBase64(text(json, "currentImage").toLatin1());
    return progress;
}

Expected<TaskResult> decodeResult(const Json &json)
{
    TaskResult result;
    result.taskId = text(json, "taskId");
    result.status = text(json, "status");
    result.message = text(json, "message");
    result.code = text(json, "code");
    result.links = texts(json, "ossUrl");
    if (result.status.isEmpty()) return wrongShape("status");
    return result;
}

Expected<ServerState> decodeServer(const Json &json)
{
    if (!json.is_object() || !json.contains("listening")) return wrongShape("listening");
    ServerState state;
    state.listening = flag(json, "listening");
    state.address = text(json, "address");
    state.port = number<int>(json, "port");
    state.url = text(json, "url");
    state.requests = number<std::int64_t>(json, "requests");
    state.version = text(json, "version");
    state.error = text(json, "error");
    return state;
}

Expected<FolderState> decodeFolders(const Json &json)
{
    const auto list = json.find("folders");
    if (list == json.end() || !list->is_array()) return wrongShape("folders");
    FolderState state;
    for (const Json &folder : *list)
        state.folders.append(text(folder, "path"));
    state.scanning = flag(json, "scanning");
    state.done = number<int>(json, "done");
    state.total = number<int>(json, "total");
    return state;
}

Expected<std::vector<LogEntry>> decodeLogs(const Json &json)
{
    const auto list = json.find("lines");
    if (list == json.end() || !list->is_array()) return wrongShape("lines");
    std::vector<LogEntry> lines;
    for (const Json &row : *list) {
        LogEntry line;
        line.number = number<std::uint64_t>(row, "number");
        line.milliseconds = number<std::int64_t>(row, "time");
        if (line.milliseconds == 0)
            line.milliseconds = QDateTime::fromString(text(row, "time"), Qt::ISODateWithMs).toMSecsSinceEpoch();
        line.level = text(row, "level");
        line.category = text(row, "category");
        line.message = text(row, "message");
        lines.push_back(std::move(line));
    }
    return lines;
}

Expected<ParamTable> decodeParameters(const Json &json)
{
    const auto list = json.find("parameters");
    if (list == json.end() || !list->is_array()) return wrongShape("parameters");
    ParamTable table;
    for (const Json &row : *list) {
        Expected<ParamSpec> spec = decodeSpec(row);
        if (!spec) return Unexpected{spec.error()};
        if (table.find(spec->key) || !checkValue(*spec, spec->defaultValue) || !checkValue(*spec, spec->formValue))
            return wrongShape("usable parameter row");
        table.add(std::move(*spec));
    }
    return table;
}

namespace {

/// For answers that are not the server's own: a proxy's.
ErrorCode codeOfStatus(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ErrorCode::Forbidden;
    case 404:
        return ErrorCode::NotFound;
    case 413:
        return ErrorCode::TooLarge;
    case 429:
    case 502:
    case 503:
    case 504:
        return ErrorCode::Unavailable;
    default:
        return ErrorCode::Internal;
    }
}

}  // namespace

Error decodeError(const QByteArray &body, int status)
{
    const Expected<Json> json = parseJson({body.constData(), static_cast<std::size_t>(body.size())});
    if (!json || !json->is_object() || !json->contains("message"))
        return {codeOfStatus(status), "the server answered with status " + std::to_string(status), {}};
    Error error;
    error.code = errorFromName(text(*json, "code").toStdString());
    if (error.code == ErrorCode::Internal) error.code = codeOfStatus(status);  // "unauthorized" is no code of ours
    error.message = text(*json, "message").toStdString();
    error.subject = text(*json, "field").toStdString();
    return error;
}

}  // namespace sg::ui
