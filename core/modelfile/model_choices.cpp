#include "core/modelfile/model_choices.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace sg {
namespace {

constexpr std::array<std::string_view, 4> kFamilies{"sd1", "sd2", "sdxl", "sdxl-refiner"};

Expected<void> takeChoice(const std::string &key, const Json &value, ModelChoices &choices)
{
    const auto refuse = [&](const char *rule) {
        return fail(ErrorCode::InvalidArgument, key + " must be automatic or " + rule, key);
    };
    const bool text = value.is_string();
    const bool automatic = value.is_null() || (text && value.get_ref<const std::string &>() == "automatic");
    if (key == "family") {
        if (automatic) return {};
        const auto known = text ? std::find(kFamilies.begin(), kFamilies.end(), value.get_ref<const std::string &>())
                                : kFamilies.end();
        if (known == kFamilies.end()) return refuse("one of sd1, sd2, sdxl, sdxl-refiner");
        choices.family = *known;
    } else if (key == "prediction") {
        if (automatic) return {};
        if (!text || (value != "epsilon" && value != "v")) return refuse("one of epsilon, v");
        choices.predictsV = value == "v";
    } else if (key == "zeroTerminalSnr") {
        if (automatic) return {};
        if (!value.is_boolean()) return refuse("true or false");
        choices.zeroTerminalSnr = value.get<bool>();
    } else if (key == "ema") {
        if (automatic) return {};
        if (!value.is_boolean()) return refuse("true or false");
        choices.ema = value.get<bool>();
    } else {
        return fail(ErrorCode::InvalidArgument,
                    "\"" + key.substr(0, 40) + "\" is none of family, prediction, zeroTerminalSnr, ema",
                    key.substr(0, 40));
    }
    return {};
}

}  // namespace

Expected<ModelChoices> parseModelChoices(const Json &json)
{
    if (!json.is_object()) return fail(ErrorCode::InvalidArgument, "choices must be an object", "choices");
    ModelChoices choices;
    for (const auto &[key, value] : json.items())
        if (const Expected<void> taken = takeChoice(key, value, choices); !taken) return Unexpected{taken.error()};
    return choices;
}

Json choicesJson(const ModelChoices &choices)
{
    Json json = Json::object();
    if (!choices.family.empty()) json["family"] = std::string(choices.family);
    if (choices.predictsV) json["prediction"] = *choices.predictsV ? "v" : "epsilon";
    if (choices.zeroTerminalSnr) json["zeroTerminalSnr"] = *choices.zeroTerminalSnr;
    if (choices.ema) json["ema"] = true;
    return json;
}

}  // namespace sg
