#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sg {

inline constexpr std::size_t kMaxAdapterConfigBytes = 1u << 20;

/// What peft knows of an adapter that is not in its tensors: `adapter_config.json` beside the file, or diffusers'
/// `lora_adapter_metadata` in a safetensors header, for each network.
/// Source  peft 0.21 and diffusers 0.42: the names of the fields, and what they do.
struct AdapterSettings {
    /// Of one network. A pattern is the end of a layer's name, or with `^` all of it; the first that fits counts.
    struct Part {
        double rank = 0;              ///< r; 0: not said
        std::optional<double> alpha;  ///< lora_alpha, alpha
        bool rootOfRank = false;      ///< use_rslora: alpha is divided by the rank's root
        std::vector<std::pair<std::string, double>> ranks, alphas;
        std::vector<std::string> feedforward;  ///< IA3: ends of layers whose inputs are scaled; ^ as above
        bool series = true;                    ///< OFT: turns are the first terms of a series, not exact
        std::int64_t terms = 5;
        bool constrained = false;  ///< OFT's coft, BOFT's has none
        double longest = 6e-5;     ///< its eps
    };
    std::map<std::string, Part, std::less<>> parts;  ///< by what stands before a layer's name: "unet", "" …

    /// The settings that hold for a layer of the file, with its name in the network; nothing when there are none.
    std::optional<std::pair<const Part *, std::string_view>> of(std::string_view layer) const;
};

/// Whether a module's name is this one, or ends in it behind a dot; of `^name`, whether it is this one.
bool endsInModule(std::string_view layer, std::string_view module);

/// The value of the first pattern that fits the layer's name.
std::optional<double> valueOf(const std::vector<std::pair<std::string, double>> &patterns, std::string_view layer);

/// Errors  UnusableFile naming the field and the rule.
Expected<AdapterSettings::Part> parseAdapterConfig(const Json &config);

/// Where peft puts the settings of a file: in its folder.
std::filesystem::path adapterConfigPath(const std::filesystem::path &adapter);

/// The settings of an adapter's file, from its header; of a file with peft's names, from the file at
/// adapterConfigPath(), where there is one.
/// Errors  UnusableFile, TooLarge: of either; subject = the path.
Expected<AdapterSettings> readAdapterSettings(const TensorIndex &index);

}  // namespace sg
