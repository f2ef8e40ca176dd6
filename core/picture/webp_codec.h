#pragma once

#include "core/base/expected.h"
#include "core/base/image.h"

#include <string>
#include <string_view>

namespace sg {

/// A WebP file. Quality 0 to 100, lossy.
std::string encodeWebp(const Image &image, int quality = 85);

/// Pixels of a WebP file whose header readPictureHeader accepted: RGB, or RGBA where it has transparency.
/// Errors  UnusableFile, also for an animation.
Expected<Image> decodeWebp(std::string_view bytes);

}  // namespace sg
