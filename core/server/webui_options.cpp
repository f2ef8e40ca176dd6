#include "core/server/webui_options.h"

#include "core/base/log.h"
#include "core/models/model_library.h"
#include "core/params/coding_rows.h"
#include "core/params/param_values.h"

#include <QFile>
#include <QSaveFile>

#include <optional>

namespace sg::server {
namespace {

constexpr std::size_t kMaxStored = 256 * 1024;

/// A1111's name of a row that is an option.
std::string optionName(const std::string &row)
{
    return row == "clip_skip" ? "CLIP_stop_at_last_layers" : row;
}

/// What the engine really does; a client may set others, which are kept and change nothing.
Json defaults()
{
    Json options{{"sd_model_checkpoint", ""},
                 {"sd_checkpoint_hash", ""},
                 {"samples_format", "png"},
                 {"send_seed", true},
                 {"send_size", true},
                 {"enable_pnginfo", true},
                 {"live_previews_enable", true},
                 {"show_progress_every_n_steps", 1},
                 {"return_grid", false},
                 {"do_not_add_watermark", true}};
    for (const ParamSpec &spec : ParamTable::standard().specs())
        if (spec.option) options[optionName(spec.key)] = toJson(spec.defaultValue);
    return options;
}

/// The row that A1111's option of this name is, by that name; nothing for all others.
std::optional<ParamSpec> rowOf(std::string_view option)
{
    for (const ParamSpec &spec : ParamTable::standard().specs()) {
        if (!spec.option || optionName(spec.key) != option) continue;
        ParamSpec row = spec;
        row.key = option;  // so that errors name what was sent
        return row;
    }
    return std::nullopt;
}

/// What a client cannot set: known from the model, or read by SillyTavern as "this is Forge".
bool isReadOnly(std::string_view key)
{
    return key == "sd_checkpoint_hash" || key == "forge_preset" || key == "samples_format";
}

}  // namespace

WebuiOptions::WebuiOptions(std::filesystem::path file, const ModelLibrary &library)
    : m_file(std::move(file)), m_library(library)
{
    QFile stored(QString::fromStdString(m_file.string()));
    if (!stored.open(QIODevice::ReadOnly)) return;
    const Expected<Json> values = parseJson(stored.readAll().toStdString());
    if (!values || !values->is_object()) {
        logWarning("server", "options.json cannot be read and is ignored");
        return;
    }
    // A file that an earlier version or a hand wrote may hold what no row takes.
    for (const auto &[key, value] : values->items()) {
        const std::optional<ParamSpec> row = rowOf(key);
        if (const auto checked = row ? valueFromJson(*row, value) : Expected<ParamValue>(); !checked)
            logWarning("server", "options.json: " + checked.error().message + "; it was left out");
        else
            m_values[key] = value;
    }
}

Json WebuiOptions::all() const
{
    Json options = defaults();
    for (const auto &[key, value] : m_values.items())
        options[key] = value;
    options["sd_model_checkpoint"] = "";
    if (const auto model = m_library.find(checkpoint(), "stableDiffusion")) {
        options["sd_model_checkpoint"] = checkpointTitle(*model);
        options["sd_checkpoint_hash"] = model->sha256;
    }
    return options;
}

Expected<void> WebuiOptions::change(const Json &values)
{
    if (!values.is_object()) return fail(ErrorCode::InvalidArgument, "the body must be a JSON object");
    Json changed = m_values;
    for (const auto &[key, value] : values.items()) {
        if (key == "sd_model_checkpoint" && !value.is_null()) {
            if (!value.is_string()) return fail(ErrorCode::InvalidArgument, "sd_model_checkpoint must be a text", key);
            const std::string &name = value.get_ref<const std::string &>();
            const auto model = m_library.find(name, "stableDiffusion");
            if (!model && !name.empty()) return fail(ErrorCode::InvalidArgument, "no such model", key);
            changed[key] = model ? model->name : std::string();
        } else if (const std::optional<ParamSpec> row = rowOf(key)) {
            if (value.is_null()) {
                changed.erase(key);
                continue;
            }
            Expected<ParamValue> checked = valueFromJson(*row, value);
            // A1111 has previews that this server has not: no picture is another for it.
            if (!checked && isPreviewRow(key)) checked = row->defaultValue;
            if (!checked) return Unexpected{checked.error()};
            changed[key] = toJson(*checked);
        } else if (!isReadOnly(key)) {
            changed[key] = value;
        }
    }
    const std::string text = dumpJson(changed);
    if (text.size() > kMaxStored)
        return fail(ErrorCode::TooLarge, "the options exceed " + std::to_string(kMaxStored) + " bytes");
    QSaveFile file(QString::fromStdString(m_file.string()));
    if (!file.open(QIODevice::WriteOnly) || file.write(text.data(), static_cast<qint64>(text.size())) < 0 ||
        !file.commit())
        return fail(ErrorCode::Internal, "the options cannot be stored: " + file.errorString().toStdString());
    m_values = std::move(changed);
    return {};
}

Json WebuiOptions::settings() const
{
    Json settings = Json::object();
    for (const ParamSpec &spec : ParamTable::standard().specs()) {
        if (!spec.option) continue;
        const auto stored = m_values.find(optionName(spec.key));
        if (stored != m_values.end()) settings[spec.key] = *stored;
    }
    return settings;
}

std::string WebuiOptions::checkpoint() const
{
    const auto stored = m_values.find("sd_model_checkpoint");
    if (stored != m_values.end() && stored->is_string() &&
        m_library.find(stored->get<std::string>(), "stableDiffusion"))
        return stored->get<std::string>();
    for (const ModelRecord &model : m_library.models())
        if (model.type == "stableDiffusion" && model.status != "unusable" && model.status != "deleted")
            return model.name;
    return {};
}

std::string checkpointTitle(const ModelRecord &model)
{
    const std::string title = model.name + std::filesystem::path(model.path).extension().string();
    return model.sha256.empty() ? title : title + " [" + model.shortHash() + "]";
}

}  // namespace sg::server
