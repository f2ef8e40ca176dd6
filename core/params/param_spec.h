#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sg {

/// A parameter's value. Choices are held as their text.
using ParamValue = std::variant<bool, std::int64_t, double, std::string>;

enum class ParamType {
    Flag,     ///< bool
    Integer,  ///< std::int64_t
    Number,   ///< double, finite
    Text,     ///< UTF-8, at most `maximum` bytes
    Choice,   ///< one of `choices`, or, where that is empty, one of a list that the server knows (models)
};

/// Where the form shows it, and the section of the documentation.
enum class ParamGroup { Prompt, Model, Sampling, Size, Seed, Batch };

/// One row of THE parameter table: everything that HTTP parser, form, OpenAPI page, docs, engine and infotext need to know.
struct ParamSpec {
    std::string key;    ///< the field's name in the API, in the engine protocol and in stored settings
    std::string label;  ///< English, in the form; translated in the context "Parameters"
    std::string help;   ///< one English sentence, translated likewise
    ParamGroup group = ParamGroup::Sampling;
    ParamType type = ParamType::Integer;
    ParamValue defaultValue;  ///< what a request without the field means (A1111's default)
    ParamValue formValue;     ///< what a fresh form shows
    double minimum = 0;
    double maximum = 0;  ///< inclusive
    double step = 1;     ///< of a spin box; with `multipleOf` set, the same number
    std::int64_t multipleOf = 1;
    std::string unit;                  ///< "px", "steps", or empty
    std::vector<std::string> choices;  ///< in the order to show
    std::string infotextKey;           ///< key in A1111's infotext; empty: not written as a pair of its own
    bool option = false;               ///< an option of A1111's, which its clients send in override_settings

    bool operator==(const ParamSpec &) const = default;
};

}  // namespace sg
