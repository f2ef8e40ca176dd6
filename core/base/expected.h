#pragma once

#include "core/base/error.h"

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace sg {

/// A value, or the Error that explains why there is none. One line to change when the compiler brings std::expected.
template <class T>
using Expected = tl::expected<T, Error>;

using Unexpected = tl::unexpected<Error>;

/// Shorthand for `return fail(ErrorCode::NotFound, "no such model", name)`.
inline Unexpected fail(ErrorCode code, std::string message, std::string subject = {})
{
    return Unexpected{Error{code, std::move(message), std::move(subject)}};
}

}  // namespace sg
