#include "core/base/utf8.h"
#include "core/picture/exif.h"
#include "core/picture/picture.h"
#include "core/picture/png_codec.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view bytes = fuzzText(data, size);
    const auto header = sg::readPictureHeader(bytes);
    const sg::Exif exif = sg::readExif(bytes);
    SG_REQUIRE(sg::isUtf8(exif.comment) && exif.orientation >= 1 && exif.orientation <= 8);
    if (const auto texts = sg::readPngTexts(bytes)) {
        std::size_t all = 0;
        for (const sg::TextChunk &text : *texts)
            all += text.text.size();
        SG_REQUIRE(all <= sg::kMaxPngText && texts->size() <= sg::kMaxPngTexts);
    }
    // Large pictures are slow, not wrong: their headers are checked, their pixels are left to smaller ones.
    if (header && static_cast<std::int64_t>(header->width) * header->height > 1 << 20) return 0;
    const auto picture = sg::decodePicture(bytes);
    if (!picture) {
        SG_REQUIRE(!picture.error().message.empty());
        return 0;
    }
    SG_REQUIRE(header.has_value());
    const sg::Image &image = picture->image;
    SG_REQUIRE(image.pixels.size() == image.stride() * static_cast<std::size_t>(image.height) && !image.empty());
    if (image.pixels.size() > 1 << 16) return 0;
    const auto again = sg::decodePicture(sg::encodePng(image, picture->texts, 1));
    SG_REQUIRE(again && again->image == image);
    return 0;
}
