#include "core/picture/picture.h"

#include "core/picture/exif.h"
#include "core/picture/jpeg_codec.h"
#include "core/picture/png_codec.h"
#include "core/picture/webp_codec.h"

#include <utility>

namespace sg {
namespace {

Expected<Image> decodePixels(PictureFormat format, std::string_view bytes)
{
    switch (format) {
    case PictureFormat::Png:
        return decodePng(bytes);
    case PictureFormat::Jpeg:
        return decodeJpeg(bytes);
    case PictureFormat::Webp:
        return decodeWebp(bytes);
    }
    return fail(ErrorCode::Internal, "a picture format without a decoder");
}

}  // namespace

Expected<DecodedPicture> decodePicture(std::string_view bytes)
{
    const Expected<PictureHeader> header = readPictureHeader(bytes);
    if (!header) return Unexpected{header.error()};
    Expected<Image> image = decodePixels(header->format, bytes);
    if (!image) return Unexpected{image.error()};
    const int orientation = readExif(bytes).orientation;
    const bool turned = orientation >= 5;
    if (image->width != (turned ? header->height : header->width) ||
        image->height != (turned ? header->width : header->height))
        return fail(ErrorCode::UnusableFile, "the picture's header and its pixels disagree on its size");
    DecodedPicture picture{upright(std::move(*image), orientation), header->format, {}};
    if (header->format == PictureFormat::Png)
        if (Expected<std::vector<TextChunk>> texts = readPngTexts(bytes)) picture.texts = std::move(*texts);
    return picture;
}

}  // namespace sg
