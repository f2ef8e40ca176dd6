// Stands in for core/picture until that is there.
#include "core/engine/picture_bytes.h"

#include <cstdio>

#include <jpeglib.h>
#include <zlib.h>

namespace sg::engine {
namespace {

void appendNumber(std::string &out, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(value >> shift & 0xff));
}

void appendChunk(std::string &out, const std::string &type, const std::string &data) {
    appendNumber(out, data.size());
    const std::string body = type + data;
    out += body;
    appendNumber(out, crc32(0, reinterpret_cast<const Bytef *>(body.data()), static_cast<uInt>(body.size())));
}

}  // namespace

std::string pngBytes(const Image &picture, const std::string &parameters) {
    std::string head;
    appendNumber(head, static_cast<std::size_t>(picture.width));
    appendNumber(head, static_cast<std::size_t>(picture.height));
    head += std::string("\x08\x02\x00\x00\x00", 5);
    std::string rows;
    for (int y = 0; y < picture.height; ++y) {
        rows.push_back('\0');
        rows.append(reinterpret_cast<const char *>(picture.row(y)), picture.stride());
    }
    uLongf size = compressBound(rows.size());
    std::string packed(size, '\0');
    compress2(reinterpret_cast<Bytef *>(packed.data()), &size, reinterpret_cast<const Bytef *>(rows.data()),
              rows.size(), 3);
    packed.resize(size);
    std::string out = "\x89PNG\r\n\x1a\n";
    appendChunk(out, "IHDR", head);
    appendChunk(out, "tEXt", std::string("parameters") + '\0' + parameters);
    appendChunk(out, "IDAT", packed);
    appendChunk(out, "IEND", "");
    return out;
}

std::string jpegBytes(const Image &picture, int quality) {
    jpeg_compress_struct state{};
    jpeg_error_mgr errors{};
    state.err = jpeg_std_error(&errors);
    jpeg_create_compress(&state);
    unsigned char *bytes = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&state, &bytes, &size);
    state.image_width = static_cast<JDIMENSION>(picture.width);
    state.image_height = static_cast<JDIMENSION>(picture.height);
    state.input_components = 3;
    state.in_color_space = JCS_RGB;
    jpeg_set_defaults(&state);
    jpeg_set_quality(&state, quality, TRUE);
    jpeg_start_compress(&state, TRUE);
    while (state.next_scanline < state.image_height) {
        auto *row = const_cast<JSAMPROW>(picture.row(static_cast<int>(state.next_scanline)));
        jpeg_write_scanlines(&state, &row, 1);
    }
    jpeg_finish_compress(&state);
    std::string out(reinterpret_cast<char *>(bytes), size);
    jpeg_destroy_compress(&state);
    free(bytes);
    return out;
}

std::string infotextOf(const GenerateMessage &message, std::int64_t index) {
    const GenerationRequest &r = message.request;
    std::string text = r.prompt;
    if (!r.negativePrompt.empty()) text += "\nNegative prompt: " + r.negativePrompt;
    char cfg[32];
    std::snprintf(cfg, sizeof cfg, "%g", r.cfgScale);
    return text + "\nSteps: " + std::to_string(r.steps) + ", Sampler: " + r.sampler + ", CFG scale: " + cfg +
           ", Seed: " + std::to_string(r.imageSeed(index)) + ", Size: " + std::to_string(r.width) + "x" +
           std::to_string(r.height);
}

}  // namespace sg::engine
