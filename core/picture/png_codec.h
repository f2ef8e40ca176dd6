#pragma once

#include "core/base/image.h"
#include "core/picture/png_text.h"

#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// A PNG file of the picture, with the texts before its pixels. Level 1 to 9: 1 is fastest.
/// A picture without pixels, or a text that PNG cannot hold, is a bug of the caller; the text is left out.
std::string encodePng(const Image &image, const std::vector<TextChunk> &texts = {}, int level = 2);

/// Pixels of a PNG file whose header readPictureHeader accepted: 8 bits a channel; palette and transparency expanded,
/// grey stays grey unless it has transparency. Errors  UnusableFile with libpng's words.
Expected<Image> decodePng(std::string_view bytes);

}  // namespace sg
