#include "core/server/builtin_scripts.h"

#include "core/params/param_values.h"
#include "core/server/http/request_head.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sg::server {
namespace {

struct BuiltinScript {
    std::string_view name;
    std::vector<std::string_view> rows;  ///< of its arguments; empty: the check box that decides over what is optional
    std::size_t optionalFrom;            ///< arguments from here on count only when the box is checked
};

const std::array<BuiltinScript, 3> &builtinScripts()
{
    static const std::array<BuiltinScript, 3> scripts{{
        {"Refiner", {"", "refiner_checkpoint", "refiner_switch_at"}, 1},
        {"Sampler", {"steps", "sampler_name", "scheduler"}, 3},
        {"Seed", {"seed", "", "subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h"}, 2},
    }};
    return scripts;
}

const BuiltinScript *findScript(const std::string &name)
{
    for (const BuiltinScript &script : builtinScripts())
        if (http::lowerCase(name) == http::lowerCase(std::string(script.name))) return &script;
    return nullptr;
}

/// The row by the argument's place. Names of samplers and schedules are resolved later, as the body's own.
ParamSpec argumentRow(const ParamTable &rows, std::string_view row, const std::string &place)
{
    ParamSpec spec;
    if (const ParamSpec *known = rows.find(row)) spec = *known;
    if (row.empty()) spec.type = ParamType::Flag;
    if (spec.type == ParamType::Choice) spec.choices.clear();
    spec.key = place;
    return spec;
}

bool sends(const Json &fields, const std::string &row)
{
    const auto has = [&](const std::string &key) {
        const auto it = fields.find(key);
        return it != fields.end() && !it->is_null() && *it != "";
    };
    return has(row) || (row == "sampler_name" && has("sampler_index"));
}

/// Null where an argument is not sent.
Expected<std::vector<Json>> checkedArguments(const BuiltinScript &script, const Json &list, const ParamTable &rows,
                                             const std::string &place)
{
    std::vector<Json> values(script.rows.size());
    for (std::size_t i = 0; i < std::min(values.size(), list.size()); ++i) {
        if (list[i].is_null()) continue;
        const bool box = script.rows[i].empty();
        const Json sent = box && (list[i] == 0 || list[i] == 1) ? Json(list[i] == 1) : list[i];
        const Expected<ParamValue> value =
            valueFromJson(argumentRow(rows, script.rows[i], place + ".args[" + std::to_string(i) + "]"), sent);
        if (!value) return fail(value.error().code, value.error().message, "alwayson_scripts");
        values[i] = toJson(*value);
    }
    return values;
}

Expected<void> readScript(const BuiltinScript &script, const Json &sent, const ParamTable &rows, Json &fields)
{
    const std::string place = "alwayson_scripts." + std::string(script.name);
    if (!sent.is_object()) return fail(ErrorCode::InvalidArgument, place + " must be an object", "alwayson_scripts");
    const Json list = sent.value("args", Json::array());
    if (!list.is_array()) return fail(ErrorCode::InvalidArgument, place + ".args must be a list", "alwayson_scripts");
    const Expected<std::vector<Json>> values = checkedArguments(script, list, rows, place);
    if (!values) return Unexpected{values.error()};
    const auto box = std::find(script.rows.begin(), script.rows.end(), std::string_view());
    const bool checked =
        box != script.rows.end() && (*values)[static_cast<std::size_t>(box - script.rows.begin())] == true;
    for (std::size_t i = 0; i < values->size(); ++i) {
        const std::string row(script.rows[i]);
        const bool counts = !row.empty() && (checked || i < script.optionalFrom);
        if (counts && !(*values)[i].is_null() && !sends(fields, row)) fields[row] = (*values)[i];
    }
    return {};
}

}  // namespace

Expected<void> readBuiltinScripts(Json &fields, const ParamTable &rows)
{
    const auto always = fields.find("alwayson_scripts");
    if (always == fields.end() || !always->is_object()) return {};
    const Json scripts = std::move(*always);
    Json rest = Json::object();
    for (const auto &[name, sent] : scripts.items()) {
        const BuiltinScript *script = findScript(name);
        if (!script)
            rest[name] = sent;
        else if (Expected<void> read = readScript(*script, sent, rows, fields); !read)
            return read;
    }
    fields["alwayson_scripts"] = std::move(rest);
    return {};
}

}  // namespace sg::server
