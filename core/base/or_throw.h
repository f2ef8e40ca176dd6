#pragma once

#include "core/base/expected.h"

#include <string>
#include <string_view>
#include <utility>

namespace sg {

/// The value, or its error thrown as a Failure: where exceptions are normal, so in core/diffusion, core/imaging and the
/// engine's torch half only.
template <class Value>
Value orThrow(Expected<Value> value)
{
    if (!value) throw Failure{value.error()};
    return std::move(*value);
}

/// In the same places: this file breaks a rule. `subject` is the tensor or key.
[[noreturn]] inline void throwUnusable(std::string message, std::string_view subject)
{
    throw Failure{Error{ErrorCode::UnusableFile, std::move(message), std::string(subject)}};
}

}  // namespace sg
