#pragma once

#include "core/base/expected.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sg {

/// A tag <type:a:b:name=c> of a prompt.
struct ExtraNetwork {
    std::string type;
    std::vector<std::string> positional;
    std::vector<std::pair<std::string, std::string>> named;
    std::string place;  ///< "at character 12", for errors

    /// The last one of this name, or null.
    const std::string *find(std::string_view name) const;
    bool operator==(const ExtraNetwork &) const = default;
};

struct TextAndNetworks {
    std::string text;  ///< without the tags; nothing takes their place
    std::vector<ExtraNetwork> networks;
};

/// Takes all tags out of a prompt, of whatever type. Linear. Source  AUTOMATIC1111 webui 1.10.1 (prompts' syntax).
TextAndNetworks takeExtraNetworks(std::string_view prompt);

/// What <lora:name:te:unet:dyn> asks for; `lyco` is another name for it.
struct LoraTag {
    std::string name;
    double textEncoder = 1;
    double unet = 1;                  ///< as textEncoder where it is not given
    std::optional<std::int64_t> dyn;  ///< only so many ranks
    bool operator==(const LoraTag &) const = default;
};

/// The LoRA tags, in order; other types are left out.
/// Errors  InvalidArgument, subject "prompt": no name, or a value that is no finite number.
Expected<std::vector<LoraTag>> loraTags(const std::vector<ExtraNetwork> &networks);

}  // namespace sg
