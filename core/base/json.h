#pragma once

#include "core/base/expected.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string_view>

namespace sg {

/// The one JSON type of core. Objects keep the order in which keys were added (infotext and `info` need it).
using Json = nlohmann::ordered_json;

/// Bounds of a JSON text from outside.
struct JsonLimits {
    std::size_t bytes = 64u << 20;
    int depth = 64;
    std::size_t values = 1'000'000;  ///< of all kinds, keys not counted
};

/// Parses JSON strictly: valid UTF-8, no duplicate keys, no U+0000, no lone surrogate, no number that is not finite, no byte order mark,
/// nothing after the end; integers stay integers, and one that does not fit 64 bits is refused.
/// Errors  InvalidArgument (TooLarge for size), with the byte position and the rule.
Expected<Json> parseJson(std::string_view text, const JsonLimits &limits = {});

/// Compact text; invalid UTF-8 inside strings is replaced instead of thrown on.
std::string dumpJson(const Json &json);

}  // namespace sg
