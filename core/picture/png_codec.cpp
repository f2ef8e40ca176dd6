#include "core/picture/png_codec.h"

#include "core/picture/picture_header.h"

#include <array>
#include <cassert>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <png.h>

// libpng reports errors by longjmp. Each function that calls setjmp below holds nothing with a destructor; what must be
// freed lies in the caller's frame, which no jump leaves.

namespace sg {
namespace {

struct Reader {
    png_structp png = nullptr;
    png_infop info = nullptr;
    const char *bytes = nullptr;
    std::size_t left = 0;
    std::array<char, 160> error{};

    Reader() = default;
    Reader(const Reader &) = delete;
    Reader &operator=(const Reader &) = delete;
    ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct PngWriter {
    png_structp png = nullptr;
    png_infop info = nullptr;
    std::array<char, 160> error{};

    PngWriter() = default;
    PngWriter(const PngWriter &) = delete;
    PngWriter &operator=(const PngWriter &) = delete;
    ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

extern "C" {
[[noreturn]] void sgPngFail(png_structp png, png_const_charp message)
{
    auto *text = static_cast<std::array<char, 160> *>(png_get_error_ptr(png));
    std::snprintf(text->data(), text->size(), "%s", message);
    png_longjmp(png, 1);
}

void sgPngWarn(png_structp, png_const_charp) {}

void sgPngRead(png_structp png, png_bytep to, std::size_t count)
{
    auto *reader = static_cast<Reader *>(png_get_io_ptr(png));
    if (count > reader->left) png_error(png, "the file is cut off");
    std::memcpy(to, reader->bytes, count);
    reader->bytes += count;
    reader->left -= count;
}

void sgPngWrite(png_structp png, png_bytep from, std::size_t count)
{
    static_cast<std::string *>(png_get_io_ptr(png))->append(reinterpret_cast<const char *>(from), count);
}

void sgPngFlush(png_structp) {}
}

/// Everything up to the pixels; afterwards rows are 8 bits a channel.
bool readInfo(Reader &reader)
{
    if (setjmp(png_jmpbuf(reader.png))) return false;
    png_set_read_fn(reader.png, &reader, sgPngRead);
    png_set_user_limits(reader.png, static_cast<png_uint_32>(kMaxPictureSide),
                        static_cast<png_uint_32>(kMaxPictureSide));
    png_set_chunk_malloc_max(reader.png, 8u << 20);
    // Texts are read by png_text.cpp; profiles and the rest are not used, so they are not unpacked either.
    static constexpr png_byte kSkipped[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT\0eXIf\0hIST";
    png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, 7);
    png_read_info(reader.png, reader.info);
    png_set_scale_16(reader.png);
    png_set_expand(reader.png);
    const bool alpha = (png_get_color_type(reader.png, reader.info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                       png_get_valid(reader.png, reader.info, PNG_INFO_tRNS) != 0;
    if (alpha) png_set_gray_to_rgb(reader.png);
    png_set_interlace_handling(reader.png);
    png_read_update_info(reader.png, reader.info);
    return true;
}

bool readRows(Reader &reader, png_bytepp rows)
{
    if (setjmp(png_jmpbuf(reader.png))) return false;
    png_read_image(reader.png, rows);
    png_read_end(reader.png, nullptr);
    return true;
}

bool writeHead(PngWriter &writer, std::string *out, const Image &image, int level)
{
    if (setjmp(png_jmpbuf(writer.png))) return false;
    const int colour = image.channels == 1   ? PNG_COLOR_TYPE_GRAY
                       : image.channels == 3 ? PNG_COLOR_TYPE_RGB
                                             : PNG_COLOR_TYPE_RGBA;
    png_set_write_fn(writer.png, out, sgPngWrite, sgPngFlush);
    png_set_compression_level(writer.png, level);
    png_set_filter(writer.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);
    png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height),
                 8, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writer.png, writer.info);
    return true;
}

bool writeRows(PngWriter &writer, const Image &image)
{
    if (setjmp(png_jmpbuf(writer.png))) return false;
    for (int y = 0; y < image.height; ++y)
        png_write_row(writer.png, image.row(y));
    png_write_end(writer.png, nullptr);
    return true;
}

Unexpected refused(const std::array<char, 160> &error)
{
    return fail(ErrorCode::UnusableFile, "damaged PNG: " + std::string(error.data()));
}

}  // namespace

std::string encodePng(const Image &image, const std::vector<TextChunk> &texts, int level)
{
    assert(!image.empty());
    std::string out;
    PngWriter writer;
    writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer.error, sgPngFail, sgPngWarn);
    writer.info = writer.png ? png_create_info_struct(writer.png) : nullptr;
    if (!writer.info || !writeHead(writer, &out, image, level)) return {};
    for (const TextChunk &text : texts)
        out += pngTextChunk(text);
    if (!writeRows(writer, image)) return {};
    return out;
}

Expected<Image> decodePng(std::string_view bytes)
{
    Reader reader;
    reader.bytes = bytes.data();
    reader.left = bytes.size();
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.error, sgPngFail, sgPngWarn);
    reader.info = reader.png ? png_create_info_struct(reader.png) : nullptr;
    if (!reader.info) return fail(ErrorCode::OutOfMemory, "no memory to decode a PNG");
    if (!readInfo(reader)) return refused(reader.error);
    Image image(static_cast<int>(png_get_image_width(reader.png, reader.info)),
                static_cast<int>(png_get_image_height(reader.png, reader.info)),
                static_cast<int>(png_get_channels(reader.png, reader.info)));
    if (png_get_rowbytes(reader.png, reader.info) != image.stride())
        return fail(ErrorCode::UnusableFile, "damaged PNG: rows of odd length");
    std::vector<png_bytep> rows;
    for (int y = 0; y < image.height; ++y)
        rows.push_back(image.row(y));
    if (!readRows(reader, rows.data())) return refused(reader.error);
    return image;
}

}  // namespace sg
