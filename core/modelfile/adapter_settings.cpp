#include "core/modelfile/adapter_settings.h"

#include "core/modelfile/refusal.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace sg {
namespace {

constexpr std::size_t kMostPatterns = 4096;
constexpr double kLargest = 1e6;
constexpr std::string_view kOfExpressions = "\\^$*+?()[]{}|";
constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr std::string_view kHeaderKey = "lora_adapter_metadata";

Unexpected refuseField(const std::string &field, const char *rule)
{
    return fail(ErrorCode::UnusableFile, "the adapter's " + field + " " + rule, field);
}

/// A field that is missing or null keeps its value.
Expected<void> takeNumber(const Json &config, const char *field, double least, double &value)
{
    const auto it = config.find(field);
    if (it == config.end() || it->is_null()) return {};
    if (!it->is_number()) return refuseField(field, "must be a number");
    const double number = it->get<double>();
    if (!(number >= least && number <= kLargest)) return refuseField(field, "is out of range");
    value = number;
    return {};
}

Expected<void> takeFlag(const Json &config, const char *field, bool &value)
{
    const auto it = config.find(field);
    if (it == config.end() || it->is_null()) return {};
    if (!it->is_boolean()) return refuseField(field, "must be true or false");
    value = it->get<bool>();
    return {};
}

/// peft's patterns are expressions for names behind any prefix; what is written are names, of which `^` holds the
/// whole. Returns nothing for what only an expression's reader could tell.
std::optional<std::string> namePattern(std::string_view pattern)
{
    std::string name;
    for (const std::string_view anything : {"(.*\\.)?", ".*\\."})
        if (pattern.starts_with(anything)) {
            pattern.remove_prefix(anything.size());
            break;
        }
    if (pattern.ends_with('$')) pattern.remove_suffix(1);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern.substr(i, 2) == "\\.")
            ++i;
        else if (!(pattern[i] == '^' && i == 0) && kOfExpressions.find(pattern[i]) != std::string_view::npos)
            return std::nullopt;
        name += pattern[i];
    }
    return name;
}

Expected<void> takePatterns(const Json &config, const char *field, double least,
                            std::vector<std::pair<std::string, double>> &patterns)
{
    const auto it = config.find(field);
    if (it == config.end() || it->is_null()) return {};
    if (!it->is_object() || it->size() > kMostPatterns)
        return refuseField(field, "must be an object of at most 4096 numbers");
    for (const auto &[pattern, value] : it->items()) {
        if (!value.is_number()) return refuseField(field, "must be an object of at most 4096 numbers");
        const double number = value.get<double>();
        if (!(number >= least && number <= kLargest)) return refuseField(field, "is out of range");
        std::optional<std::string> name = namePattern(pattern);
        if (!name) return refuseField(field, "has an expression, where only names are read");
        patterns.emplace_back(std::move(*name), number);
    }
    return {};
}

/// A list of names, or one.
Expected<void> takeNames(const Json &config, const char *field, std::vector<std::string> &names)
{
    const auto it = config.find(field);
    if (it == config.end() || it->is_null()) return {};
    // peft: a text is an expression for whole names, a list has the ends of names.
    if (it->is_string()) {
        const std::string text = it->get<std::string>();
        std::optional<std::string> name = text.starts_with('(') ? std::nullopt : namePattern(text);
        if (!name) return refuseField(field, "has an expression, where only names are read");
        const bool whole = !text.starts_with(".*") && !name->starts_with('^');
        names.push_back((whole ? "^" : text.starts_with(".*") ? "." : "") + *name);
        return {};
    }
    if (!it->is_array() || it->size() > kMostPatterns)
        return refuseField(field, "must be a list of at most 4096 names");
    for (const Json &name : *it) {
        if (!name.is_string()) return refuseField(field, "must be a list of at most 4096 names");
        names.push_back(name.get<std::string>());
    }
    return {};
}

Unexpected inFile(const Error &error, const std::string &path)
{
    return fail(error.code, path + ": " + error.message, path);
}

/// {"unet.r": 4, "unet.lora_alpha": 8, …}: a field of each network's configuration.
Expected<AdapterSettings> fromHeader(const std::string &text, const std::string &path)
{
    const Expected<Json> json = parseJson(text, {.bytes = kMaxAdapterConfigBytes, .depth = 8});
    if (!json) return inFile(json.error(), path);
    if (!json->is_object()) return inFile({ErrorCode::UnusableFile, "lora_adapter_metadata is no object", {}}, path);
    std::map<std::string, Json> configs;
    for (const auto &[key, value] : json->items()) {
        const std::size_t dot = key.find('.');
        if (dot == std::string::npos) continue;
        Json &config = configs[key.substr(0, dot)];
        config[key.substr(dot + 1)] = value;
    }
    AdapterSettings settings;
    for (const auto &[network, config] : configs) {
        Expected<AdapterSettings::Part> part = parseAdapterConfig(config);
        if (!part) return inFile(part.error(), path);
        settings.parts.emplace(network, std::move(*part));
    }
    return settings;
}

}  // namespace

std::optional<std::pair<const AdapterSettings::Part *, std::string_view>>
AdapterSettings::of(std::string_view layer) const
{
    const std::size_t dot = layer.find('.');
    if (dot != std::string_view::npos)
        if (const auto own = parts.find(layer.substr(0, dot)); own != parts.end())
            return std::pair(&own->second, layer.substr(dot + 1));
    const auto all = parts.find("");
    if (all == parts.end()) return std::nullopt;
    return std::pair(&all->second, layer);
}

bool endsInModule(std::string_view layer, std::string_view module)
{
    if (module.starts_with('^')) return layer == module.substr(1);
    if (module.empty() || !layer.ends_with(module)) return false;
    return layer.size() == module.size() || layer[layer.size() - module.size() - 1] == '.';
}

std::optional<double> valueOf(const std::vector<std::pair<std::string, double>> &patterns, std::string_view layer)
{
    const auto it =
        std::find_if(patterns.begin(), patterns.end(), [&](const auto &one) { return endsInModule(layer, one.first); });
    return it == patterns.end() ? std::nullopt : std::optional(it->second);
}

Expected<AdapterSettings::Part> parseAdapterConfig(const Json &config)
{
    if (!config.is_object())
        return fail(ErrorCode::UnusableFile, "the adapter's settings are no object", "adapter_config.json");
    AdapterSettings::Part part;
    double terms = static_cast<double>(part.terms), alpha = -1;
    for (const Expected<void> &taken :
         {takeNumber(config, "r", 0, part.rank), takeNumber(config, "alpha", 0, alpha),
          takeNumber(config, "lora_alpha", 0, alpha), takeFlag(config, "use_rslora", part.rootOfRank),
          takePatterns(config, "rank_pattern", 1, part.ranks), takePatterns(config, "alpha_pattern", 0, part.alphas),
          takeNames(config, "feedforward_modules", part.feedforward),
          takeFlag(config, "use_cayley_neumann", part.series), takeNumber(config, "num_cayley_neumann_terms", 1, terms),
          takeFlag(config, "coft", part.constrained), takeNumber(config, "eps", 0, part.longest)})
        if (!taken) return Unexpected{taken.error()};
    if (terms > 64) return refuseField("num_cayley_neumann_terms", "is above 64");
    if (alpha >= 0) part.alpha = alpha;
    part.terms = static_cast<std::int64_t>(terms);
    return part;
}

std::filesystem::path adapterConfigPath(const std::filesystem::path &adapter)
{
    return adapter.parent_path() / "adapter_config.json";
}

Expected<AdapterSettings> readAdapterSettings(const TensorIndex &index)
{
    if (const auto it = index.metadata().find(std::string(kHeaderKey)); it != index.metadata().end())
        return fromHeader(it->second, index.path());
    const auto &tensors = index.tensors();
    const auto first = tensors.lower_bound(std::string(kPeftPrefix));
    if (first == tensors.end() || !first->first.starts_with(kPeftPrefix)) return AdapterSettings{};
    const std::filesystem::path path = adapterConfigPath(index.path());
    std::ifstream file(path, std::ios::binary);
    if (!file) return AdapterSettings{};
    std::string text(kMaxAdapterConfigBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    const Expected<Json> json = parseJson(text, {.bytes = kMaxAdapterConfigBytes, .depth = 16});
    if (!json) return inFile(json.error(), path.string());
    Expected<AdapterSettings::Part> part = parseAdapterConfig(*json);
    if (!part) return inFile(part.error(), path.string());
    AdapterSettings settings;
    settings.parts.emplace("", std::move(*part));
    return settings;
}

}  // namespace sg
