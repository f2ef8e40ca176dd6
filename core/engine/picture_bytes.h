#pragma once

#include "core/base/image.h"
#include "core/engine/messages.h"

#include <string>

namespace sg::engine {

std::string pngBytes(const Image &picture, const std::string &parameters);
std::string jpegBytes(const Image &picture, int quality);
std::string infotextOf(const GenerateMessage &message, std::int64_t index);

}  // namespace sg::engine
