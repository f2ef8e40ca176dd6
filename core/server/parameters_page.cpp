#include "core/server/parameters_page.h"

#include "core/params/param_values.h"

#include <array>

namespace sg::server {
namespace {

constexpr std::array kGroups{ParamGroup::Prompt, ParamGroup::Model, ParamGroup::Sampling,     ParamGroup::Size,
                             ParamGroup::Seed,   ParamGroup::Batch, ParamGroup::ImageToImage, ParamGroup::HiresFix};

/// A green pixel square: what /openapi.json shows as an example of a picture.
constexpr const char *kExamplePicture =
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mPQWGCDFTEMLQkAYT9BAeUr7hIAAAAASUVORK5CYII=";

std::string_view typeName(ParamType type)
{
    switch (type) {
    case ParamType::Flag:
        return "flag";
    case ParamType::Integer:
        return "integer";
    case ParamType::Number:
        return "number";
    case ParamType::Text:
        return "text";
    case ParamType::Choice:
        return "choice";
    case ParamType::Picture:
        return "picture";
    case ParamType::Pictures:
        return "pictures";
    }
    return "text";
}

bool isNumeric(const ParamSpec &spec)
{
    return spec.type == ParamType::Integer || spec.type == ParamType::Number;
}

std::string number(double value)
{
    return dumpJson(value == static_cast<double>(static_cast<std::int64_t>(value))
                        ? Json(static_cast<std::int64_t>(value))
                        : Json(value));
}

Json bound(const ParamSpec &spec, double value)
{
    return spec.type == ParamType::Integer ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

Json rowJson(const ParamSpec &spec)
{
    Json row = {{"key", spec.key},
                {"label", spec.label},
                {"help", spec.help},
                {"group", groupName(spec.group)},
                {"textToImage", spec.textToImage},
                {"imageToImage", spec.imageToImage},
                {"onlyWith", spec.onlyWith},
                {"type", typeName(spec.type)},
                {"default", toJson(spec.defaultValue)},
                {"form", toJson(spec.formValue)}};
    row["minimum"] = isNumeric(spec) ? bound(spec, spec.minimum) : Json();
    row["maximum"] = spec.type == ParamType::Flag ? Json()
                     : isNumeric(spec)            ? bound(spec, spec.maximum)
                                                  : Json(static_cast<std::int64_t>(spec.maximum));
    row["step"] = isNumeric(spec) ? bound(spec, spec.step) : Json();
    row["multipleOf"] = spec.multipleOf;
    row["unit"] = spec.unit;
    row["choices"] = spec.choices;
    row["modelType"] = spec.modelType;
    row["infotextKey"] = spec.infotextKey;
    row["infotextValues"] = spec.infotextValues;
    row["infotextAlways"] = spec.infotextAlways;
    row["option"] = spec.option;
    return row;
}

std::string rangeText(const ParamSpec &spec)
{
    if (isNumeric(spec)) {
        std::string text = number(spec.minimum) + " to " + number(spec.maximum);
        for (std::size_t i = 0; i < spec.choices.size(); ++i)
            text += (i == 0 ? ": " : ", ") +
                    std::to_string(static_cast<std::int64_t>(spec.minimum) + static_cast<std::int64_t>(i)) + " " +
                    spec.choices[i];
        if (spec.multipleOf > 1) text += ", multiple of " + std::to_string(spec.multipleOf);
        return text + (spec.unit.empty() ? "" : " " + spec.unit);
    }
    if (spec.type == ParamType::Flag) return "true, false";
    if (spec.type == ParamType::Picture) return "one picture";
    if (spec.type == ParamType::Pictures) return "at most " + number(spec.maximum) + " pictures";
    if (spec.choices.empty()) return "at most " + number(spec.maximum) + " bytes";
    std::string text;
    for (const std::string &choice : spec.choices)
        text += (text.empty() ? "" : ", ") + choice;
    if (!spec.modelType.empty()) text += ", or the name of a model of type `" + spec.modelType + "`";
    return text;
}

std::string valueText(const ParamValue &value)
{
    return "`" + dumpJson(toJson(value)) + "`";
}

}  // namespace

std::string_view groupName(ParamGroup group)
{
    switch (group) {
    case ParamGroup::Prompt:
        return "prompt";
    case ParamGroup::Model:
        return "model";
    case ParamGroup::Sampling:
        return "sampling";
    case ParamGroup::Size:
        return "size";
    case ParamGroup::Seed:
        return "seed";
    case ParamGroup::Batch:
        return "batch";
    case ParamGroup::ImageToImage:
        return "imageToImage";
    case ParamGroup::HiresFix:
        return "hiresFix";
    }
    return "other";
}

Json parametersJson(const ParamTable &table)
{
    Json groups = Json::array();
    for (const ParamGroup group : kGroups)
        groups.push_back(groupName(group));
    Json rows = Json::array();
    for (const ParamSpec &spec : table.specs())
        rows.push_back(rowJson(spec));
    return {{"groups", groups}, {"parameters", rows}};
}

std::string parametersMarkdown(const ParamTable &table)
{
    std::string text =
        "# Parameters of text-to-image and image-to-image\n"
        "Made from the parameter table (core/params) by the test `unit.pages_test`; `SG_UPDATE_DOCS=1` "
        "rewrites this page.\n"
        "The maxima are the defaults; a server may allow less (`GET /parameters`, `/openapi.json`).\n"
        "Fields: t = txt2img, i = img2img. Pictures are base64, data URIs, or names of stored pictures.\n\n"
        "| field | in | meaning | range | default | in the form | infotext |\n| --- | --- | --- | --- | --- | --- | "
        "--- |\n";
    for (const ParamSpec &spec : table.specs())
        text += "| `" + spec.key + "` | " + (spec.textToImage ? "t" : "") + (spec.imageToImage ? "i" : "") + " | " +
                spec.label + ": " + spec.help + " | " + rangeText(spec) + " | " + valueText(spec.defaultValue) + " | " +
                valueText(spec.formValue) + " | " + spec.infotextKey + " |\n";
    return text;
}

Json paramSchema(const ParamSpec &spec)
{
    Json schema = {{"description", spec.help}, {"default", toJson(spec.defaultValue)}};
    switch (spec.type) {
    case ParamType::Flag:
        schema["type"] = "boolean";
        break;
    case ParamType::Integer:
        schema["type"] = "integer";
        break;
    case ParamType::Number:
        schema["type"] = "number";
        break;
    case ParamType::Text:
    case ParamType::Choice:
        schema["type"] = "string";
        break;
    case ParamType::Picture:
        schema["type"] = "string";
        schema["example"] = kExamplePicture;
        break;
    case ParamType::Pictures:
        schema["type"] = "array";
        schema["items"] = {{"type", "string"}};
        schema["maxItems"] = static_cast<std::int64_t>(spec.maximum);
        schema["example"] = Json::array({kExamplePicture});
        schema.erase("default");
        break;
    }
    if (isNumeric(spec)) {
        schema["minimum"] = bound(spec, spec.minimum);
        schema["maximum"] = bound(spec, spec.maximum);
        if (spec.multipleOf > 1) schema["multipleOf"] = spec.multipleOf;
    } else if (!spec.choices.empty() && spec.modelType.empty()) {
        schema["enum"] = spec.choices;
    } else if (spec.type == ParamType::Text || spec.type == ParamType::Choice) {
        schema["maxLength"] = static_cast<std::int64_t>(spec.maximum);
    }
    return schema;
}

}  // namespace sg::server
