#include "core/params/param_values.h"

#include "core/params/coding_rows.h"
#include "core/params/hires_size.h"
#include "core/params/picture_rows.h"
#include "core/params/samplers.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sg {
namespace {

/// A1111's fields that mean nothing unless they ask for something: those with these values need no note.
bool asksForNothing(const Json &value)
{
    return value.is_null() || value == false || value == "" || value == "Automatic" || value == "None" || (value.is_number() && value.get<double>() <= 0) ||
           (value.is_structured() && value.empty());
}

/// Fields of A1111's body that are read elsewhere (the route, the reply) or change nothing by design.
constexpr std::array<std::string_view, 10> kReadElsewhere{
    "sampler_index", "send_images", "save_images", "do_not_save_samples", "do_not_save_grid", "override_settings",
    "override_settings_restore_afterwards", "hr_scale", "denoising_strength", "include_init_images"};

bool readElsewhere(std::string_view key)
{
    for (const std::string_view known : kReadElsewhere)
        if (known == key) return true;
    return false;
}

bool isOutpainting(const ParamValues &values)
{
    for (const char *key : {"outpaint_left", "outpaint_right", "outpaint_up", "outpaint_down"})
        if (const ParamValue *pixels = values.find(key); pixels && asksForSomething(*pixels)) return true;
    return false;
}

std::string samplerText(const Json &body)
{
    for (const char *key : {"sampler_name", "sampler_index"}) {
        const auto it = body.find(key);
        if (it != body.end() && it->is_string() && !it->get_ref<const std::string &>().empty()) return it->get<std::string>();
    }
    return "Euler";
}

Expected<void> resolveSamplerFields(const Json &body, ParseMode mode, ParsedParams &parsed)
{
    for (const char *key : {"sampler_name", "sampler_index", "scheduler"})
        if (const auto it = body.find(key); it != body.end() && !it->is_null() && !it->is_string())
            return fail(ErrorCode::InvalidArgument, std::string(key) + " must be a text", key);
    const auto schedule = body.find("scheduler");
    const bool named = schedule != body.end() && schedule->is_string();
    const SamplerChoice choice = resolveSampler(samplerText(body), named ? schedule->get<std::string>() : std::string());
    if (mode == ParseMode::Strict && !choice.unknown.empty())
        return fail(ErrorCode::InvalidArgument, choice.unknown.front(), choice.unknown.front().starts_with("sampler") ? "sampler_name" : "scheduler");
    parsed.values.set("sampler_name", choice.sampler->name);
    parsed.values.set("scheduler", choice.schedule->label);
    parsed.notes.insert(parsed.notes.end(), choice.notes.begin(), choice.notes.end());
    return {};
}

/// Hires fix's own sampler and schedule, by the same names and aliases as the first pass's.
Expected<void> resolveHiresSampler(const Json &body, const ParamTable &table, ParseMode mode, ParsedParams &parsed)
{
    if (!table.find("hr_sampler_name") || !table.find("hr_scheduler")) return {};
    std::string texts[2];
    for (const auto &[key, text] : {std::pair("hr_sampler_name", &texts[0]), {"hr_scheduler", &texts[1]}}) {
        const auto it = body.find(key);
        if (it == body.end() || it->is_null()) continue;
        if (!it->is_string()) return fail(ErrorCode::InvalidArgument, std::string(key) + " must be a text", key);
        if (const auto &given = it->get_ref<const std::string &>(); given != kSameSampler && given != kSameSchedule) *text = given;
    }
    const auto &[sampler, schedule] = texts;
    if (sampler.empty() && schedule.empty()) return {};
    const SamplerChoice choice =
        resolveSampler(sampler.empty() ? parsed.values.get<std::string>("sampler_name") : sampler, schedule);
    for (const std::string &unknown : choice.unknown)
        if (mode == ParseMode::Strict)
            return fail(ErrorCode::InvalidArgument, "hires " + unknown, unknown.starts_with("sampler") ? "hr_sampler_name" : "hr_scheduler");
    for (const std::string &note : choice.notes) parsed.notes.push_back("hires " + note);
    if (!sampler.empty()) parsed.values.set("hr_sampler_name", choice.sampler->name);
    if (!schedule.empty() || choice.schedule != &schedules().front()) parsed.values.set("hr_scheduler", choice.schedule->label);
    return {};
}

/// Loops follow each other, so each has one picture.
Expected<void> resolveLoopback(ParsedParams &parsed)
{
    const ParamValue *loops = parsed.values.find("loopback_loops");
    if (!loops || !asksForSomething(*loops)) return {};
    const ParamValue *pictures = parsed.values.find("init_images");
    const auto *list = pictures ? std::get_if<std::vector<std::string>>(pictures) : nullptr;
    if (list && list->size() > 1)
        return fail(ErrorCode::InvalidArgument, "loopback begins with one start picture", "init_images");
    if (isOutpainting(parsed.values))
        return fail(ErrorCode::InvalidArgument, "loopback_loops and outpaint_* do not go together", "loopback_loops");
    if (parsed.values.get<std::int64_t>("batch_size") == 1) return {};
    parsed.values.set("batch_size", std::int64_t{1});
    parsed.notes.push_back("batch_size was set to 1, because loopback draws one picture after the other");
    return {};
}

/// Outpainting makes the mask that it needs.
Expected<void> checkOutpainting(const ParamValues &values)
{
    const ParamValue *mask = values.find("mask");
    if (!mask || !asksForSomething(*mask) || !isOutpainting(values)) return {};
    return fail(ErrorCode::InvalidArgument, "mask and outpaint_* do not go together: outpainting makes its own mask",
                "mask");
}

/// Several start pictures are the batch. (A1111 refuses more of them than batch_size.)
void resolveBatch(ParsedParams &parsed)
{
    const ParamValue *value = parsed.values.find("init_images");
    const auto *pictures = value ? std::get_if<std::vector<std::string>>(value) : nullptr;
    if (!pictures || pictures->size() < 2) return;
    const auto count = static_cast<std::int64_t>(pictures->size());
    if (count == parsed.values.get<std::int64_t>("batch_size")) return;
    parsed.values.set("batch_size", count);
    parsed.notes.push_back("batch_size was set to " + std::to_string(count) + ", the number of init_images");
}

Expected<void> checkPictures(const ParamTable &table, const ParamValues &values)
{
    const ParamSpec *batch = table.find("batch_size");
    const auto count = values.get<std::int64_t>("batch_size");
    if (!batch || checkValue(*batch, count)) return {};
    return fail(ErrorCode::InvalidArgument,
                "init_images must be at most " + std::to_string(static_cast<std::int64_t>(batch->maximum)) + " pictures",
                "init_images");
}

/// The second pass of hires fix is bound by the same limits as the first.
Expected<void> checkHires(const ParamTable &table, const ParamValues &values)
{
    const ParamValue *on = values.find("enable_hr");
    if (!on || !asksForSomething(*on)) return {};
    const HiresSize size = HiresSize::of(values);
    const std::int64_t side = table.limits().side;
    if (size.width < 8 || size.height < 8 || size.width > side || size.height > side)
        return fail(ErrorCode::InvalidArgument,
                    "hires fix would draw " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                        " pixels; a side may have 8 to " + std::to_string(side),
                    size.fromScale ? "hr_scale" : "hr_resize_x");
    // Before what is drawn is cut out of it, the picture may be larger.
    const std::int64_t pixels =
        size.upWidth * size.upHeight * values.get<std::int64_t>("batch_size") * values.get<std::int64_t>("n_iter");
    if (pixels > table.limits().pixelsPerTask)
        return fail(ErrorCode::InvalidArgument,
                    "hires fix would draw " + std::to_string(pixels) + " pixels; a task may have " +
                        std::to_string(table.limits().pixelsPerTask),
                    size.fromScale ? "hr_scale" : "hr_resize_x");
    return {};
}

Expected<void> checkUpscalerTiles(const ParamValues &values)
{
    const ParamValue *tile = values.find("ESRGAN_tile"), *overlap = values.find("ESRGAN_tile_overlap");
    if (!tile || !overlap || !asksForSomething(*tile)) return {};
    if (std::get<std::int64_t>(*overlap) < std::get<std::int64_t>(*tile)) return {};
    return fail(ErrorCode::InvalidArgument, "ESRGAN_tile_overlap must be less than ESRGAN_tile", "ESRGAN_tile_overlap");
}

Expected<void> checkTogether(const ParamTable &table, const ParamValues &values)
{
    if (Expected<void> pictures = checkPictures(table, values); !pictures) return pictures;
    if (Expected<void> hires = checkHires(table, values); !hires) return hires;
    if (Expected<void> tiles = checkUpscalerTiles(values); !tiles) return tiles;
    // Each factor is bounded by its own row, so the product stays far below 2^63.
    const ParamValue *loops = values.find("loopback_loops");
    const std::int64_t times = loops ? std::max(std::get<std::int64_t>(*loops), std::int64_t{1}) : 1;
    const std::int64_t pixels = values.get<std::int64_t>("width") * values.get<std::int64_t>("height") *
                                values.get<std::int64_t>("batch_size") * values.get<std::int64_t>("n_iter") * times;
    const std::string factors = std::string("width x height x batch_size x n_iter") + (times > 1 ? " x loopback_loops" : "");
    if (pixels > table.limits().pixelsPerTask)
        return fail(ErrorCode::InvalidArgument,
                    factors + " is " + std::to_string(pixels) + " pixels; a task may have " +
                        std::to_string(table.limits().pixelsPerTask),
                    times > 1 ? "loopback_loops" : "n_iter");
    return {};
}

/// As A1111, where an option that was changed wins over the request's field. One that is for previews only, as A1111's
/// "Approx NN", refuses no request.
Expected<void> readOverrides(const Json &body, const ParamTable &table, ParseMode mode, ParsedParams &parsed)
{
    const auto overrides = body.find("override_settings");
    if (overrides == body.end() || !overrides->is_object()) return {};
    for (const auto &[key, json] : overrides->items()) {
        const ParamSpec *spec = table.find(key);
        if (!spec || !spec->option || json.is_null()) continue;
        Expected<ParamValue> value = valueFromJson(*spec, json);
        if (!value && mode == ParseMode::Lenient && isPreviewRow(key)) {
            parsed.notes.push_back("override_settings: " + value.error().message + "; it was set to " + kPreviewCheap);
            value = ParamValue(std::string(kPreviewCheap));
        }
        if (!value) return Unexpected{value.error()};
        parsed.values.set(key, std::move(*value));
    }
    return {};
}

}  // namespace

ParamValues ParamValues::defaults(const ParamTable &table)
{
    ParamValues values;
    for (const ParamSpec &spec : table.specs()) values.set(spec.key, spec.defaultValue);
    return values;
}

ParamValues ParamValues::formValues(const ParamTable &table)
{
    ParamValues values;
    for (const ParamSpec &spec : table.specs()) values.set(spec.key, spec.formValue);
    return values;
}

const ParamValue *ParamValues::find(std::string_view key) const
{
    const auto it = m_values.find(key);
    return it == m_values.end() ? nullptr : &it->second;
}

void ParamValues::set(std::string_view key, ParamValue value)
{
    m_values.insert_or_assign(std::string(key), std::move(value));
}

Json ParamValues::toJson(const ParamTable &table) const
{
    Json json = Json::object();
    for (const ParamSpec &spec : table.specs())
        if (const ParamValue *value = find(spec.key)) json[spec.key] = sg::toJson(*value);
    return json;
}

Json toJson(const ParamValue &value)
{
    return std::visit([](const auto &held) { return Json(held); }, value);
}

namespace {

bool isListOfTexts(const Json &json)
{
    return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json &entry) { return entry.is_string(); });
}

/// A1111's list of names, one a line.
std::string linesOf(const Json &list)
{
    std::string lines;
    for (const Json &entry : list) lines += entry.get<std::string>() + "\n";
    return lines;
}

/// The texts of a list; what is no text becomes an empty one, which no row of pictures allows.
std::vector<std::string> textsOf(const Json &list)
{
    std::vector<std::string> texts;
    for (const Json &entry : list)
        texts.push_back(entry.is_string() ? entry.get<std::string>() : std::string());
    return texts;
}

}  // namespace

Expected<ParamValue> valueFromJson(const ParamSpec &spec, const Json &json)
{
    ParamValue value;
    if (json.is_boolean()) value = json.get<bool>();
    else if (json.is_string()) value = json.get<std::string>();
    else if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) value = json.get<double>();
    else if (json.is_number_integer()) value = json.get<std::int64_t>();
    else if (json.is_number()) value = json.get<double>();
    else if (spec.key == "styles" && isListOfTexts(json)) value = linesOf(json);
    else if (json.is_array() && spec.type == ParamType::Pictures) value = textsOf(json);
    else if (spec.type != ParamType::Pictures)
        value = std::vector<std::string>();  // what all other rows refuse
    // A1111's own clients send true and false for fields of 0 and 1.
    if (spec.type == ParamType::Integer && spec.minimum == 0 && spec.maximum == 1 && std::holds_alternative<bool>(value))
        value = static_cast<std::int64_t>(std::get<bool>(value));
    if (spec.type == ParamType::Number && std::holds_alternative<std::int64_t>(value))
        value = static_cast<double>(std::get<std::int64_t>(value));
    if (spec.type == ParamType::Integer && std::holds_alternative<double>(value)) {
        const double number = std::get<double>(value);
        if (std::abs(number) < 9007199254740992.0 && number == std::floor(number)) value = static_cast<std::int64_t>(number);
    }
    if (Expected<void> checked = checkValue(spec, value); !checked) return Unexpected{checked.error()};
    return value;
}

Expected<ParsedParams> parseParams(const Json &body, const ParamTable &table, ParseMode mode)
{
    if (!body.is_object()) return fail(ErrorCode::InvalidArgument, "the body must be a JSON object");
    ParsedParams parsed{ParamValues::defaults(table), {}};
    for (const auto &[key, json] : body.items()) {
        if (key == "sampler_name" || key == "scheduler" || key == "hr_sampler_name" || key == "hr_scheduler") continue;
        const ParamSpec *spec = table.find(key);
        if (spec) {
            if (json.is_null()) continue;
            Expected<ParamValue> value = valueFromJson(*spec, json);
            if (!value) return Unexpected{value.error()};
            parsed.values.set(key, std::move(*value));
            continue;
        }
        if (readElsewhere(key) || asksForNothing(json)) continue;
        if (mode == ParseMode::Strict) return fail(ErrorCode::InvalidArgument, "unknown field \"" + key.substr(0, 80) + "\"", key.substr(0, 80));
        if (parsed.notes.size() < 50) parsed.notes.push_back("field \"" + key.substr(0, 80) + "\" was ignored");
    }
    if (Expected<void> overridden = readOverrides(body, table, mode, parsed); !overridden) return Unexpected{overridden.error()};
    if (Expected<void> resolved = resolveSamplerFields(body, mode, parsed); !resolved) return Unexpected{resolved.error()};
    if (Expected<void> resolved = resolveHiresSampler(body, table, mode, parsed); !resolved) return Unexpected{resolved.error()};
    if (Expected<void> looped = resolveLoopback(parsed); !looped) return Unexpected{looped.error()};
    if (Expected<void> outpainted = checkOutpainting(parsed.values); !outpainted) return Unexpected{outpainted.error()};
    resolveBatch(parsed);
    if (Expected<void> fits = checkTogether(table, parsed.values); !fits) return Unexpected{fits.error()};
    return parsed;
}

}  // namespace sg
