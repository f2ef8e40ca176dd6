#pragma once

#include <string_view>

namespace sg {

/// The version of the whole product, from the file VERSION.
std::string_view version();

/// The version of the engine protocol; engine and supervisor must agree.
inline constexpr int kProtocolVersion = 1;

}  // namespace sg
