#include "ui/client/picture_decode.h"

#include "core/picture/infotext.h"
#include "core/picture/picture.h"

#include <utility>

namespace sg::ui {
namespace {

constexpr int kThumbnailSide = 128;

QImage asQImage(const Image &image)
{
    constexpr QImage::Format kFormats[] = {QImage::Format_Invalid, QImage::Format_Grayscale8, QImage::Format_Invalid,
                                           QImage::Format_RGB888, QImage::Format_RGBA8888};
    const QImage borrowed(image.pixels.data(), image.width, image.height, static_cast<qsizetype>(image.stride()),
                          kFormats[image.channels]);
    return borrowed.convertToFormat(image.channels == 4 ? QImage::Format_ARGB32_Premultiplied : QImage::Format_RGB32);
}

std::string_view bytesOf(const QByteArray &file)
{
    return {file.constData(), static_cast<std::size_t>(file.size())};
}

}  // namespace

QImage decodePicture(const QByteArray &file)
{
    const Expected<DecodedPicture> decoded = sg::decodePicture(bytesOf(file));
    return decoded ? asQImage(decoded->image) : QImage();
}

Picture readPicture(QByteArray png)
{
    Picture picture;
    const Expected<DecodedPicture> decoded = sg::decodePicture(bytesOf(png));
    if (!decoded) return picture;
    picture.image = asQImage(decoded->image);
    picture.thumbnail =
        picture.image.scaled(kThumbnailSide, kThumbnailSide, Qt::KeepAspectRatio, Qt::SmoothTransformation);
    for (const TextChunk &text : decoded->texts)
        if (text.keyword == kInfotextKeyword) picture.infotext = QString::fromStdString(text.text);
    picture.png = std::move(png);
    return picture;
}

}  // namespace sg::ui
