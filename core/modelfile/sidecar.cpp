#include "core/modelfile/sidecar.h"

#include "core/modelfile/refusal.h"

#include <yaml.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sg {
namespace {

constexpr std::size_t kMostValues = 4096;
constexpr std::size_t kLongestKey = 128;  // each value is stored with the names of all levels above it
constexpr std::int64_t kLargest = 1'000'000;
constexpr double kLargestScale = 1000;

using Values = std::map<std::string, std::string, std::less<>>;  ///< "model.params.scale_factor" -> "0.18215"

/// A mapping or a sequence that is open.
struct Open {
    bool mapping = false;
    bool wantsKey = false;
    std::string key;  ///< of the value that comes next
    std::size_t index = 0;
};

/// Flattens events into paths and scalars.
class Flattener {
public:
    Expected<void> take(const yaml_event_t &event)
    {
        switch (event.type) {
        case YAML_ALIAS_EVENT:
            return refuse("has an alias, which configuration files do not need");
        case YAML_DOCUMENT_START_EVENT:
            if (++m_documents > 1) return refuse("has more than one document");
            return {};
        case YAML_SCALAR_EVENT:
            return scalar({reinterpret_cast<const char *>(event.data.scalar.value), event.data.scalar.length});
        case YAML_MAPPING_START_EVENT:
            return open(true);
        case YAML_SEQUENCE_START_EVENT:
            return open(false);
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
            m_open.pop_back();
            valueDone();
            return {};
        default:
            return {};
        }
    }
    const Values &values() const { return m_values; }

private:
    Expected<void> open(bool mapping)
    {
        if (!m_open.empty() && m_open.back().mapping && m_open.back().wantsKey)
            return refuse("has a mapping or a list as a key");
        if (m_open.size() >= static_cast<std::size_t>(kMaxSidecarDepth))
            return refuse("is nested deeper than " + std::to_string(kMaxSidecarDepth) + " levels");
        m_open.push_back({mapping, mapping, {}, 0});
        return {};
    }

    Expected<void> scalar(std::string_view text)
    {
        if (!m_open.empty() && m_open.back().wantsKey) {
            if (text.size() > kLongestKey)
                return refuse("has a name of more than " + std::to_string(kLongestKey) + " bytes");
            m_open.back().key = text;
            m_open.back().wantsKey = false;
            return {};
        }
        if (m_values.size() >= kMostValues) return refuse("has more than " + std::to_string(kMostValues) + " values");
        m_values.insert_or_assign(path(), std::string(text));
        valueDone();
        return {};
    }

    void valueDone()
    {
        if (m_open.empty()) return;
        ++m_open.back().index;
        m_open.back().wantsKey = m_open.back().mapping;
    }

    std::string path() const
    {
        std::string made;
        for (const Open &level : m_open)
            made += (made.empty() ? "" : ".") + (level.mapping ? level.key : std::to_string(level.index));
        return made;
    }

    int m_documents = 0;
    std::vector<Open> m_open;
    Values m_values;
};

Expected<Values> flatten(std::string_view yaml)
{
    if (yaml.empty()) return Values{};  // libyaml asserts that there is a text
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return fail(ErrorCode::OutOfMemory, "there is not enough memory", "");
    const std::unique_ptr<yaml_parser_t, void (*)(yaml_parser_t *)> guard(&parser, yaml_parser_delete);
    yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char *>(yaml.data()), yaml.size());
    Flattener flattener;
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            return refuse("is no YAML: " + std::string(parser.problem ? parser.problem : "unreadable") + " in line " +
                          std::to_string(parser.problem_mark.line + 1));
        const yaml_event_type_t type = event.type;
        const Expected<void> taken = flattener.take(event);
        yaml_event_delete(&event);
        if (!taken) return Unexpected{taken.error()};
        if (type == YAML_STREAM_END_EVENT) return flattener.values();
    }
}

template <class Number>
Expected<std::optional<Number>> number(const Values &values, std::string_view key, Number largest)
{
    const auto found = values.find(key);
    if (found == values.end()) return std::nullopt;
    const std::string &text = found->second;
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size() && value == Number(-1)) return std::nullopt;
    if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > largest)
        return refuse(std::string(key) + " must be a number above 0, not \"" + text.substr(0, 40) + "\"");
    return value;
}

std::string_view textOf(const Values &values, std::string_view key)
{
    const auto found = values.find(key);
    return found == values.end() ? std::string_view() : std::string_view(found->second);
}

constexpr std::string_view kUnetKeys[] = {"model.params.unet_config.params.", "model.params.network_config.params."};

}  // namespace

Expected<Sidecar> parseSidecar(std::string_view yaml)
{
    if (yaml.size() > kMaxSidecarBytes)
        return refuse("is longer than " + std::to_string(kMaxSidecarBytes / 1024) + " KiB");
    const Expected<Values> values = flatten(yaml);
    if (!values) return Unexpected{values.error()};
    Sidecar made;
    const std::string_view parameterization = textOf(*values, "model.params.parameterization");
    if (!parameterization.empty() && parameterization != "v" && parameterization != "eps")
        return refuse("model.params.parameterization must be eps or v, not \"" +
                      std::string(parameterization.substr(0, 40)) + "\"");
    if (!parameterization.empty()) made.predictsV = parameterization == "v";
    const std::string_view scaling = textOf(*values, "model.params.denoiser_config.params.scaling_config.target");
    if (scaling.ends_with(".VScaling")) made.predictsV = true;
    if (scaling.ends_with(".EpsScaling")) made.predictsV = false;
    const auto scale = number<double>(*values, "model.params.scale_factor", kLargestScale);
    if (!scale) return Unexpected{scale.error()};
    made.latentScale = *scale;
    for (const std::string_view unet : kUnetKeys)
        for (const auto &[name, place] : {std::pair("context_dim", &Sidecar::contextDim),
                                          {"num_heads", &Sidecar::heads},
                                          {"num_head_channels", &Sidecar::headDim}}) {
            const auto value = number<std::int64_t>(*values, std::string(unet) + name, kLargest);
            if (!value) return Unexpected{value.error()};
            if (*value) made.*place = *value;
        }
    const std::string_view layer = textOf(*values, "model.params.cond_stage_config.params.layer");
    if (!layer.empty()) made.penultimate = layer == "penultimate";
    return made;
}

std::filesystem::path sidecarPath(const std::filesystem::path &checkpoint)
{
    std::filesystem::path path = checkpoint;
    if (!path.has_filename()) path = path.parent_path();
    std::error_code error;
    // What follows a dot in a folder's name is part of the name.
    if (std::filesystem::is_directory(path, error)) return path += ".yaml";
    return path.replace_extension(".yaml");
}

Expected<std::optional<Sidecar>> readSidecar(const std::filesystem::path &checkpoint)
{
    const std::filesystem::path path = sidecarPath(checkpoint);
    std::error_code error;
    if (path == checkpoint || !std::filesystem::is_regular_file(path, error)) return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    std::string text(kMaxSidecarBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return fail(ErrorCode::UnusableFile, "cannot be read", path.string());
    text.resize(static_cast<std::size_t>(file.gcount()));
    const Expected<Sidecar> made = parseSidecar(text);
    if (!made) return fail(made.error().code, made.error().message, path.string());
    return *made;
}

}  // namespace sg
