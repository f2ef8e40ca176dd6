#pragma once

#include "core/base/image.h"

#include <string>
#include <string_view>

namespace sg {

/// What a picture file's EXIF block says that matters here.
struct Exif {
    int orientation = 1;  ///< 1 to 8, as EXIF counts; 5 to 8 exchange width and height
    std::string comment;  ///< UserComment, UTF-8: where A1111 puts the infotext of JPEG and WebP
};

inline constexpr std::size_t kMaxExifComment = 1u << 20;

/// Of a JPEG, WebP or PNG; of one without a block, or with a damaged one, nothing.
/// Source  CIPA DC-008 (EXIF 2.32), sections 4.5 and 4.6.
Exif readExif(std::string_view file);

/// As it is meant to be looked at.
Image upright(Image image, int orientation);

}  // namespace sg
