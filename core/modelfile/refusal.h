#pragma once

#include "core/base/expected.h"

#include <string>
#include <string_view>
#include <utility>

namespace sg {

/// How every reader of model files says that one breaks a rule of its format.
inline Unexpected refuse(std::string rule)
{
    return fail(ErrorCode::UnusableFile, std::move(rule));
}

/// A name out of a file for a message: in quotes, cut short, without control characters.
inline std::string shown(std::string_view name)
{
    std::string text = "\"";
    for (const char c : name.substr(0, 120))
        text += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    return text + "\"";
}

}  // namespace sg
