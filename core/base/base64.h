#pragma once

#include "core/base/expected.h"

#include <string>
#include <string_view>

namespace sg {

/// RFC 4648 base64 with padding, without line breaks.
std::string encodeBase64(std::string_view bytes);

/// The reverse, strictly: only the alphabet, whole groups of four, padding where it belongs, no stray bits. A leading
/// "data:…;base64," is taken off. Errors  InvalidArgument, "invalid base64 at 12" (counted from 0 in `text`).
Expected<std::string> decodeBase64(std::string_view text);

}  // namespace sg
