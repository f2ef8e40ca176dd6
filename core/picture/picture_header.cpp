#include "core/picture/picture_header.h"

#include "core/picture/exif.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <webp/decode.h>

namespace sg {
namespace {

struct Size {
    std::uint32_t width;
    std::uint32_t height;
};

std::uint32_t bigEndian(std::string_view bytes, std::size_t at, int count)
{
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    return value;
}

std::optional<Size> pngSize(std::string_view bytes)
{
    if (bytes.size() < 33 || bytes.substr(12, 4) != "IHDR" || bigEndian(bytes, 8, 4) != 13) return std::nullopt;
    return Size{bigEndian(bytes, 16, 4), bigEndian(bytes, 20, 4)};
}

/// Frame headers carry the size; DHT, JPG and DAC lie among their numbers.
bool isFrameHeader(unsigned marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

std::optional<Size> jpegSize(std::string_view bytes)
{
    std::size_t at = 2;
    while (at + 4 <= bytes.size()) {
        if (bigEndian(bytes, at, 1) != 0xFF) return std::nullopt;
        const std::uint32_t marker = bigEndian(bytes, at + 1, 1);
        if (marker == 0xFF) {  // fill byte
            ++at;
            continue;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // stands alone
            at += 2;
            continue;
        }
        if (marker == 0xD9 || marker == 0xDA) return std::nullopt;
        const std::uint32_t length = bigEndian(bytes, at + 2, 2);
        if (length < 2) return std::nullopt;
        if (isFrameHeader(marker)) {
            if (length < 8 || at + 9 > bytes.size()) return std::nullopt;
            return Size{bigEndian(bytes, at + 7, 2), bigEndian(bytes, at + 5, 2)};
        }
        at += 2 + length;
    }
    return std::nullopt;
}

std::optional<Size> webpSize(std::string_view bytes)
{
    WebPBitstreamFeatures features{};
    if (WebPGetFeatures(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size(), &features) != VP8_STATUS_OK)
        return std::nullopt;
    return Size{static_cast<std::uint32_t>(features.width), static_cast<std::uint32_t>(features.height)};
}

Expected<PictureHeader> checked(PictureFormat format, const std::optional<Size> &size)
{
    const std::string name(formatName(format));
    if (!size) return fail(ErrorCode::UnusableFile, "the " + name + " file's header is damaged or cut off");
    const auto width = static_cast<std::int64_t>(size->width);
    const auto height = static_cast<std::int64_t>(size->height);
    if (width == 0 || height == 0)
        return fail(ErrorCode::UnusableFile, "the " + name + " file says that a side has 0 pixels");
    // Both sides are below 2^32: the product may reach 2^64, so the sides are looked at first.
    if (width > kMaxPictureSide || height > kMaxPictureSide || width * height > kMaxPicturePixels)
        return fail(ErrorCode::TooLarge, "picture " + std::to_string(width) + "x" + std::to_string(height) +
                                             " exceeds " + std::to_string(kMaxPictureSide) + " pixels a side or " +
                                             std::to_string(kMaxPicturePixels) + " pixels in all");
    return PictureHeader{format, static_cast<int>(width), static_cast<int>(height)};
}

/// As the pixels lie in the file.
Expected<PictureHeader> storedHeader(std::string_view bytes)
{
    if (bytes.starts_with(std::string_view("\x89PNG\r\n\x1a\n", 8))) return checked(PictureFormat::Png, pngSize(bytes));
    if (bytes.starts_with("\xFF\xD8\xFF")) return checked(PictureFormat::Jpeg, jpegSize(bytes));
    if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP")
        return checked(PictureFormat::Webp, webpSize(bytes));
    return fail(ErrorCode::UnusableFile, "is no PNG, JPEG or WebP picture");
}

}  // namespace

std::string_view formatName(PictureFormat format)
{
    switch (format) {
    case PictureFormat::Png:
        return "png";
    case PictureFormat::Jpeg:
        return "jpeg";
    case PictureFormat::Webp:
        return "webp";
    }
    return "png";
}

Expected<PictureHeader> readPictureHeader(std::string_view bytes)
{
    Expected<PictureHeader> header = storedHeader(bytes);
    if (header && readExif(bytes).orientation >= 5) std::swap(header->width, header->height);
    return header;
}

}  // namespace sg
