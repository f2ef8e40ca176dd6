#pragma once

#include "core/base/expected.h"

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

}  // namespace sg
