#include "core/picture/jpeg_codec.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

// libjpeg reports errors by longjmp. Each function that calls setjmp below holds nothing with a destructor; what must
// be freed lies in the caller's frame, which no jump leaves.

namespace sg {
namespace {

constexpr int kMaxScans = 100;
constexpr long kMaxMemory = 512L << 20;

struct Errors {
    jpeg_error_mgr manager;
    std::jmp_buf jump;
    std::array<char, JMSG_LENGTH_MAX> text;
};

extern "C" {
[[noreturn]] void sgJpegFail(j_common_ptr info)
{
    auto *errors = reinterpret_cast<Errors *>(info->err);
    info->err->format_message(info, errors->text.data());
    std::longjmp(errors->jump, 1);
}

/// Warnings are ignored but for one: a file that is cut off would give a picture that is half grey.
void sgJpegMessage(j_common_ptr info, int level)
{
    if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) sgJpegFail(info);
}

void sgJpegProgress(j_common_ptr info)
{
    if (!info->is_decompressor || reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
    auto *errors = reinterpret_cast<Errors *>(info->err);
    std::snprintf(errors->text.data(), errors->text.size(), "more than %d scans", kMaxScans);
    std::longjmp(errors->jump, 1);
}
}

void setUp(Errors &errors)
{
    jpeg_std_error(&errors.manager);
    errors.manager.error_exit = sgJpegFail;
    errors.manager.emit_message = sgJpegMessage;
    errors.text.fill(0);
}

struct Decoder {
    jpeg_decompress_struct info{};
    jpeg_progress_mgr progress{};
    Errors errors{};

    Decoder() = default;
    Decoder(const Decoder &) = delete;
    Decoder &operator=(const Decoder &) = delete;
    ~Decoder() { jpeg_destroy_decompress(&info); }
};

struct Encoder {
    jpeg_compress_struct info{};
    Errors errors{};
    unsigned char *bytes = nullptr;
    unsigned long size = 0;

    Encoder() = default;
    Encoder(const Encoder &) = delete;
    Encoder &operator=(const Encoder &) = delete;
    ~Encoder()
    {
        jpeg_destroy_compress(&info);
        std::free(bytes);
    }
};

bool start(Decoder &decoder, const unsigned char *bytes, unsigned long size)
{
    setUp(decoder.errors);
    decoder.info.err = &decoder.errors.manager;
    if (setjmp(decoder.errors.jump)) return false;
    jpeg_create_decompress(&decoder.info);
    decoder.info.mem->max_memory_to_use = kMaxMemory;
    decoder.progress.progress_monitor = sgJpegProgress;
    decoder.info.progress = &decoder.progress;
    jpeg_mem_src(&decoder.info, bytes, size);
    jpeg_read_header(&decoder.info, TRUE);
    if (decoder.info.jpeg_color_space == JCS_GRAYSCALE)
        decoder.info.out_color_space = JCS_GRAYSCALE;
    else if (decoder.info.num_components == 4)
        decoder.info.out_color_space = JCS_CMYK;
    else
        decoder.info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&decoder.info);
    return true;
}

bool readRows(Decoder &decoder, unsigned char *pixels, std::size_t stride)
{
    if (setjmp(decoder.errors.jump)) return false;
    while (decoder.info.output_scanline < decoder.info.output_height) {
        unsigned char *row = pixels + decoder.info.output_scanline * stride;
        jpeg_read_scanlines(&decoder.info, &row, 1);
    }
    jpeg_finish_decompress(&decoder.info);
    return true;
}

bool write(Encoder &encoder, const unsigned char *pixels, const Image &shape, int channels, int quality)
{
    setUp(encoder.errors);
    encoder.info.err = &encoder.errors.manager;
    if (setjmp(encoder.errors.jump)) return false;
    jpeg_create_compress(&encoder.info);
    jpeg_mem_dest(&encoder.info, &encoder.bytes, &encoder.size);
    encoder.info.image_width = static_cast<JDIMENSION>(shape.width);
    encoder.info.image_height = static_cast<JDIMENSION>(shape.height);
    encoder.info.input_components = channels;
    encoder.info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&encoder.info);
    jpeg_set_quality(&encoder.info, quality, TRUE);
    jpeg_start_compress(&encoder.info, TRUE);
    const std::size_t stride = static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(channels);
    while (encoder.info.next_scanline < encoder.info.image_height) {
        auto *row = const_cast<unsigned char *>(pixels + encoder.info.next_scanline * stride);
        jpeg_write_scanlines(&encoder.info, &row, 1);
    }
    jpeg_finish_compress(&encoder.info);
    return true;
}

Unexpected refused(const Errors &errors)
{
    return fail(ErrorCode::UnusableFile, "damaged JPEG: " + std::string(errors.text.data()));
}

Image withoutAlpha(const Image &image)
{
    Image out(image.width, image.height, 3);
    for (std::size_t i = 0; i * 4 < image.pixels.size(); ++i)
        std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(i * 4), 3,
                    out.pixels.begin() + static_cast<std::ptrdiff_t>(i * 3));
    return out;
}

/// Ink to light. Adobe's files hold inverted ink, which is the usual case.
Image fromCmyk(const Image &image, bool inverted)
{
    Image out(image.width, image.height, 3);
    for (std::size_t i = 0; i * 4 < image.pixels.size(); ++i) {
        const auto light = [&](std::size_t channel) {
            return inverted ? image.pixels[i * 4 + channel] : 255 - image.pixels[i * 4 + channel];
        };
        for (std::size_t channel = 0; channel < 3; ++channel)
            out.pixels[i * 3 + channel] = static_cast<std::uint8_t>(light(channel) * light(3) / 255);
    }
    return out;
}

}  // namespace

std::string encodeJpeg(const Image &image, int quality)
{
    assert(!image.empty());
    const Image opaque = image.channels == 4 ? withoutAlpha(image) : Image();
    const Image &source = image.channels == 4 ? opaque : image;
    Encoder encoder;
    if (!write(encoder, source.pixels.data(), source, source.channels, quality)) return {};
    return {reinterpret_cast<const char *>(encoder.bytes), encoder.size};
}

Expected<Image> decodeJpeg(std::string_view bytes)
{
    Decoder decoder;
    if (!start(decoder, reinterpret_cast<const unsigned char *>(bytes.data()),
               static_cast<unsigned long>(bytes.size())))
        return refused(decoder.errors);
    Image image(static_cast<int>(decoder.info.output_width), static_cast<int>(decoder.info.output_height),
                decoder.info.output_components);
    if (!readRows(decoder, image.pixels.data(), image.stride())) return refused(decoder.errors);
    if (image.channels == 4) return fromCmyk(image, decoder.info.saw_Adobe_marker != 0);
    return image;
}

}  // namespace sg
