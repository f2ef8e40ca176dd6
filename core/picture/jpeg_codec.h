#pragma once

#include "core/base/expected.h"
#include "core/base/image.h"

#include <string>
#include <string_view>

namespace sg {

/// A baseline JPEG file. Quality 1 to 100. Transparency is left out.
std::string encodeJpeg(const Image &image, int quality = 85);

/// Pixels of a JPEG file whose header readPictureHeader accepted: grey or RGB; CMYK is converted.
/// Errors  UnusableFile with libjpeg's words, also for a file that is cut off or has more than 100 scans.
Expected<Image> decodeJpeg(std::string_view bytes);

}  // namespace sg
