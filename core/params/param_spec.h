#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sg {

/// A parameter's value. Choices are held as their text, pictures as the names of stored objects.
using ParamValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

enum class ParamType {
    Flag,      ///< bool
    Integer,   ///< std::int64_t; with `choices`, each number from `minimum` on has a name of its own
    Number,    ///< double, finite
    Text,      ///< UTF-8, at most `maximum` bytes
    Choice,    ///< one of `choices`, or, where that is empty, one of a list that the server knows (models)
    Picture,   ///< one picture or none: base64 in a request, the name of a stored object behind the server's door
    Pictures,  ///< at most `maximum` of them
};

/// Where the form shows it, and the section of the documentation.
enum class ParamGroup { Prompt, Model, Sampling, Size, Seed, Batch, ImageToImage, HiresFix };

/// The kinds of task that a request can ask for.
enum class TaskKind { TextToImage, ImageToImage };

/// One row of THE parameter table: everything that HTTP parser, form, OpenAPI page, docs, engine and infotext need to
/// know.
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
    /// What infotext says for each number from `minimum` on (false, true of a flag); an empty text is not written.
    std::vector<std::string> infotextValues = {};
    bool infotextAlways = false;             ///< also written with its default value
    std::vector<std::string> onlyWith = {};  ///< means something only when one of these rows asks for something
    bool textToImage = true;                 ///< a field of txt2img
    bool imageToImage = true;                ///< a field of img2img
    std::string modelType = {};  ///< of a Choice: files of this type of GET /models are choices too, by their names

    bool isPicture() const { return type == ParamType::Picture || type == ParamType::Pictures; }
    bool operator==(const ParamSpec &) const = default;
};

/// Whether a value asks for something: true, a number above 0, a text, a picture.
bool asksForSomething(const ParamValue &value);

}  // namespace sg
