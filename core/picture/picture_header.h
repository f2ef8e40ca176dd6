#pragma once

#include "core/base/expected.h"

#include <cstdint>
#include <string_view>

namespace sg {

enum class PictureFormat { Png, Jpeg, Webp };

/// "png", "jpeg", "webp".
std::string_view formatName(PictureFormat format);

inline constexpr std::int64_t kMaxPictureSide = 8192;
inline constexpr std::int64_t kMaxPicturePixels = 32 * 1024 * 1024;

struct PictureHeader {
    PictureFormat format = PictureFormat::Png;
    int width = 0;
    int height = 0;
};

/// What a picture file says of itself in its first bytes, before anything is decoded or allocated. By content; names
/// play no part; sizes are those that are looked at (EXIF's orientation). Errors  UnusableFile for what is no PNG, JPEG
/// or WebP or ends inside its header; TooLarge, with the numbers, for a side over 8192 pixels or more than 33,554,432
/// pixels.
Expected<PictureHeader> readPictureHeader(std::string_view bytes);

}  // namespace sg
