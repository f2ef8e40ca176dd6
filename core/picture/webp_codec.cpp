#include "core/picture/webp_codec.h"

#include <cassert>
#include <webp/decode.h>
#include <webp/encode.h>

namespace sg {
namespace {

Image withThreeChannels(const Image &grey)
{
    Image out(grey.width, grey.height, 3);
    for (std::size_t i = 0; i < out.pixels.size(); ++i)
        out.pixels[i] = grey.pixels[i / 3];
    return out;
}

}  // namespace

std::string encodeWebp(const Image &image, int quality)
{
    assert(!image.empty());
    const Image coloured = image.channels == 1 ? withThreeChannels(image) : Image();
    const Image &source = image.channels == 1 ? coloured : image;
    const auto encode = source.channels == 4 ? WebPEncodeRGBA : WebPEncodeRGB;
    std::uint8_t *bytes = nullptr;
    const std::size_t size = encode(source.pixels.data(), source.width, source.height,
                                    static_cast<int>(source.stride()), static_cast<float>(quality), &bytes);
    std::string out(reinterpret_cast<const char *>(bytes), size);
    WebPFree(bytes);
    return out;
}

Expected<Image> decodeWebp(std::string_view bytes)
{
    const auto *data = reinterpret_cast<const std::uint8_t *>(bytes.data());
    WebPBitstreamFeatures features{};
    if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK)
        return fail(ErrorCode::UnusableFile, "damaged WebP: its header");
    if (features.has_animation) return fail(ErrorCode::UnusableFile, "an animated WebP is no single picture");
    Image image(features.width, features.height, features.has_alpha ? 4 : 3);
    const auto decode = features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    if (!decode(data, bytes.size(), image.pixels.data(), image.pixels.size(), static_cast<int>(image.stride())))
        return fail(ErrorCode::UnusableFile, "damaged WebP: its pixels");
    return image;
}

}  // namespace sg
