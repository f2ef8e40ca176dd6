#include "core/modelfile/hidden_embedding.h"

#include "core/modelfile/refusal.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <optional>
#include <png.h>
#include <string_view>
#include <utility>
#include <vector>
#include <zlib.h>

// libpng reports errors by longjmp. Each function that calls setjmp below holds nothing with a destructor; what must be
// freed lies in the caller's frame, which no jump leaves.

namespace sg {
namespace {

constexpr std::uint64_t kMaxFile = 64u << 20;
constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kChannels = 3;
constexpr std::size_t kInflateStep = 64u << 10;
constexpr unsigned char kLow = 0x0f;

/// Rows of 8 bit RGB.
struct Pixels {
    std::size_t width = 0, height = 0;
    std::vector<png_byte> bytes;

    const png_byte *at(std::size_t x, std::size_t y) const { return bytes.data() + (y * width + x) * kChannels; }
};

struct PixelReader {
    png_structp png = nullptr;
    png_infop info = nullptr;
    std::string_view left;
    std::array<char, 160> error{};

    PixelReader() = default;
    PixelReader(const PixelReader &) = delete;
    PixelReader &operator=(const PixelReader &) = delete;
    ~PixelReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

extern "C" {
[[noreturn]] static void sgHiddenFail(png_structp png, png_const_charp message)
{
    auto *text = static_cast<std::array<char, 160> *>(png_get_error_ptr(png));
    std::snprintf(text->data(), text->size(), "%s", message);
    png_longjmp(png, 1);
}

static void sgHiddenWarn(png_structp, png_const_charp) {}

static void sgHiddenRead(png_structp png, png_bytep to, std::size_t count)
{
    auto *reader = static_cast<PixelReader *>(png_get_io_ptr(png));
    if (count > reader->left.size()) png_error(png, "the file is cut off");
    std::memcpy(to, reader->left.data(), count);
    reader->left.remove_prefix(count);
}
}

bool readHead(PixelReader &reader)
{
    if (setjmp(png_jmpbuf(reader.png))) return false;
    png_set_read_fn(reader.png, &reader, sgHiddenRead);
    png_set_user_limits(reader.png, kMaxHidingSide, kMaxHidingSide);
    png_set_chunk_malloc_max(reader.png, 8u << 20);
    static constexpr png_byte kSkipped[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT\0eXIf\0hIST";
    png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, 7);
    png_read_info(reader.png, reader.info);
    png_set_scale_16(reader.png);
    png_set_expand(reader.png);
    png_set_strip_alpha(reader.png);
    png_set_gray_to_rgb(reader.png);
    png_set_interlace_handling(reader.png);
    png_read_update_info(reader.png, reader.info);
    return true;
}

bool readAllRows(PixelReader &reader, png_bytepp rows)
{
    if (setjmp(png_jmpbuf(reader.png))) return false;
    png_read_image(reader.png, rows);
    return true;
}

Expected<Pixels> decode(std::string_view png)
{
    PixelReader reader;
    reader.left = png;
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.error, sgHiddenFail, sgHiddenWarn);
    reader.info = reader.png ? png_create_info_struct(reader.png) : nullptr;
    if (!reader.info) return fail(ErrorCode::OutOfMemory, "there is no memory to read a PNG");
    if (!readHead(reader)) return refuse(std::string("its pixels: ") + reader.error.data());
    Pixels made{png_get_image_width(reader.png, reader.info), png_get_image_height(reader.png, reader.info), {}};
    if (std::uint64_t{made.width} * made.height > kMaxHidingPixels)
        return refuse("it has more than " + std::to_string(kMaxHidingPixels / 1'000'000) + " million pixels");
    if (png_get_rowbytes(reader.png, reader.info) != made.width * kChannels)
        return refuse("its pixels cannot be read as RGB");
    made.bytes.resize(made.width * made.height * kChannels);
    std::vector<png_bytep> rows;
    for (std::size_t y = 0; y < made.height; ++y)
        rows.push_back(made.bytes.data() + y * made.width * kChannels);
    if (!readAllRows(reader, rows.data())) return refuse(std::string("its pixels: ") + reader.error.data());
    return made;
}

struct Box {
    std::size_t left = 0, right = 0, top = 0, bottom = 0;  // the last two of each pair are behind it
};

/// What lies within the frame of pixels that have a zero.
Box withoutFrame(const Pixels &pixels)
{
    Box box{pixels.width, 0, pixels.height, 0};
    for (std::size_t y = 0; y < pixels.height; ++y) {
        for (std::size_t x = 0; x < pixels.width; ++x) {
            const png_byte *pixel = pixels.at(x, y);
            if (pixel[0] == 0 || pixel[1] == 0 || pixel[2] == 0) continue;
            box = {std::min(box.left, x), std::max(box.right, x + 1), std::min(box.top, y),
                   std::max(box.bottom, y + 1)};
        }
    }
    return box;
}

/// The first and the last column without low bits, where there are two.
std::optional<std::pair<std::size_t, std::size_t>> separators(const Pixels &pixels, const Box &box)
{
    std::vector<unsigned char> bits(pixels.width, 0);
    for (std::size_t y = box.top; y < box.bottom; ++y)
        for (std::size_t x = box.left; x < box.right; ++x)
            for (std::size_t c = 0; c < kChannels; ++c)
                bits[x] |= pixels.at(x, y)[c] & kLow;
    std::optional<std::size_t> first, last;
    for (std::size_t x = box.left; x < box.right; ++x) {
        if (bits[x] != 0) continue;
        if (!first) first = x;
        last = x;
    }
    if (!first || *first == *last) return std::nullopt;
    return std::pair(*first, *last);
}

/// Both stripes together, up to what an embedding can need.
Expected<std::string> packed(const Pixels &pixels)
{
    const Unexpected nothing = fail(ErrorCode::NotFound, "no embedding is hidden in its pixels");
    const Box box = withoutFrame(pixels);
    if (box.left >= box.right) return nothing;
    const auto found = separators(pixels, box);
    if (!found) return nothing;
    const std::size_t width = found->first - box.left, high = found->second + 1;
    if (width == 0 || box.right - high != width) return nothing;
    std::string bytes;
    std::uint32_t seed = 0;
    for (std::size_t y = box.top; y < box.bottom && bytes.size() <= kMaxHiddenText; ++y) {
        for (std::size_t i = 0; i < width * kChannels; ++i) {
            seed = 1664525u * seed + 1013904223u;
            const std::uint32_t mask = seed % 255;
            const auto nibble = [&](std::size_t stripe) { return (pixels.at(stripe, y)[i] ^ mask) & kLow; };
            bytes += static_cast<char>(nibble(high) << 4 | nibble(box.left));
        }
    }
    // Two columns are easily found in an ordinary picture: what follows must begin as zlib's streams do.
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (bytes.size() < 2 || (byte(0) & 0x8f) != 0x08 || (byte(0) << 8 | byte(1)) % 31 != 0) return nothing;
    return bytes;
}

Expected<std::string> unpacked(std::string bytes)
{
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK) return fail(ErrorCode::OutOfMemory, "there is no memory to unpack an embedding");
    stream.next_in = reinterpret_cast<Bytef *>(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string text;
    int state = Z_OK;
    while (state == Z_OK && text.size() <= kMaxHiddenText) {
        const std::size_t held = text.size();
        text.resize(held + kInflateStep);
        stream.next_out = reinterpret_cast<Bytef *>(text.data() + held);
        stream.avail_out = static_cast<uInt>(kInflateStep);
        state = inflate(&stream, Z_NO_FLUSH);
        text.resize(text.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (text.size() > kMaxHiddenText)
        return refuse("its hidden embedding is longer than " + std::to_string(kMaxHiddenText >> 20) + " MiB");
    if (state == Z_BUF_ERROR) return refuse("its hidden embedding is cut off");
    if (state != Z_STREAM_END) return refuse("its hidden embedding is damaged");
    return text;
}

}  // namespace

Expected<std::string> readHiddenEmbedding(const ByteSource &file)
{
    if (file.size() > kMaxFile) return refuse("it is larger than " + std::to_string(kMaxFile >> 20) + " MiB");
    const Expected<std::string> png = file.text(0, static_cast<std::size_t>(file.size()));
    if (!png) return Unexpected{png.error()};
    if (png->size() < kSignatureBytes ||
        png_sig_cmp(reinterpret_cast<png_const_bytep>(png->data()), 0, kSignatureBytes) != 0)
        return fail(ErrorCode::NotFound, "is no PNG with an embedding");
    const Expected<Pixels> pixels = decode(*png);
    if (!pixels) return Unexpected{pixels.error()};
    Expected<std::string> bytes = packed(*pixels);
    if (!bytes) return bytes;
    return unpacked(std::move(*bytes));
}

}  // namespace sg
