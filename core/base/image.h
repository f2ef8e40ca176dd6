#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sg {

/// A picture in memory: rows from the top, channels interleaved.
/// Shapes  pixels [height, width, channels], 8 bits, 0..255; channels 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha).
struct Image {
    int width = 0;
    int height = 0;
    int channels = 3;
    std::vector<std::uint8_t> pixels;

    Image() = default;
    Image(int w, int h, int c)
        : width(w), height(h), channels(c),
          pixels(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * static_cast<std::size_t>(c))
    {
    }
    bool empty() const { return pixels.empty(); }
    std::size_t stride() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels); }
    const std::uint8_t *row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * stride(); }
    std::uint8_t *row(int y) { return pixels.data() + static_cast<std::size_t>(y) * stride(); }
    bool operator==(const Image &) const = default;
};

}  // namespace sg
