#pragma once

#include "core/base/expected.h"
#include "core/base/image.h"
#include "core/picture/picture_header.h"
#include "core/picture/png_text.h"

#include <string_view>
#include <vector>

namespace sg {

/// A picture file, decoded.
struct DecodedPicture {
    Image image;
    PictureFormat format = PictureFormat::Png;
    std::vector<TextChunk> texts;  ///< of a PNG
};

/// Decodes PNG, JPEG or WebP, told by content, after the header has passed readPictureHeader's limits.
/// Errors  as readPictureHeader; UnusableFile for a damaged file.
Expected<DecodedPicture> decodePicture(std::string_view bytes);

}  // namespace sg
