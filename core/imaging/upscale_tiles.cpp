#include "core/imaging/upscale_tiles.h"

#include "core/base/expected.h"
#include "core/imaging/composite.h"
#include "core/imaging/resample.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace sg::imaging {
namespace {

constexpr int kMostTimes = 3;
constexpr int kMultiple = 8;
constexpr int kMostSide = 16384;

/// Where tiles begin on a side: outside of the picture where that is shorter than one.
std::vector<int> startsOf(int length, const UpscaleTiles &tiles)
{
    const int tile = tiles.side, step = std::max(1, tile - tiles.overlap);
    const int count = std::max(1, (length - tiles.overlap + step - 1) / step);
    std::vector<int> starts;
    for (int i = 0; i < count; ++i) {
        const double distance = count > 1 ? static_cast<double>(length - tile) / (count - 1) : 0;
        const int start = static_cast<int>(i * distance);
        starts.push_back(start + tile >= length ? length - tile : start);
    }
    return starts;
}

/// A tile of the picture; black where there is none.
Image tileAt(const Image &rgb, int left, int top, int side)
{
    if (left >= 0 && top >= 0) return cropped(rgb, left, top, side, side);
    const int fromLeft = std::max(left, 0), fromTop = std::max(top, 0);
    Image tile(side, side, 3);
    paste(tile, cropped(rgb, fromLeft, fromTop, left + side - fromLeft, top + side - fromTop), fromLeft - left,
          fromTop - top);
    return tile;
}

/// As Pillow pastes through a mask. `weight`: 0..255, of the new one.
std::uint8_t mixed(unsigned old, unsigned made, unsigned weight)
{
    const unsigned sum = old * (255 - weight) + made * weight + 128;
    return static_cast<std::uint8_t>(((sum >> 8) + sum) >> 8);
}

unsigned rampAt(int place, int length)
{
    return place < length ? static_cast<unsigned>(255 * place / length) : 255;
}

/// A tile into the strip of its row, and a strip into the picture: the first of them without a ramp.
void pasteAcross(Image &strip, const Image &tile, int left, int ramp)
{
    for (int y = 0; y < tile.height; ++y)
        for (int x = std::max(0, -left); x < tile.width; ++x) {
            const unsigned weight = left == 0 ? 255 : rampAt(x, ramp);
            std::uint8_t *to = strip.row(y) + 3 * static_cast<std::size_t>(left + x);
            const std::uint8_t *from = tile.row(y) + 3 * static_cast<std::size_t>(x);
            for (int c = 0; c < 3; ++c)
                to[c] = mixed(to[c], from[c], weight);
        }
}

void pasteDown(Image &picture, const Image &strip, int top, int ramp)
{
    for (int y = std::max(0, -top); y < strip.height; ++y) {
        const unsigned weight = top == 0 ? 255 : rampAt(y, ramp);
        std::uint8_t *to = picture.row(top + y);
        const std::uint8_t *from = strip.row(y);
        for (std::size_t i = 0; i < strip.stride(); ++i)
            to[i] = mixed(to[i], from[i], weight);
    }
}

double largerBy(int width, int height, int toWidth, int toHeight)
{
    return std::max(static_cast<double>(toWidth) / width, static_cast<double>(toHeight) / height);
}

int wantedSide(int side, double factor)
{
    return static_cast<int>(std::floor(side * factor / kMultiple)) * kMultiple;
}

}  // namespace

Image enlargeInTiles(const Image &rgb, int scale, const UpscaleTiles &tiles, const Enlarge &enlarge)
{
    if (tiles.side <= 0) return enlarge(rgb);
    const int side = tiles.side, ramp = tiles.overlap * scale;
    Image picture(rgb.width * scale, rgb.height * scale, 3);
    for (const int top : startsOf(rgb.height, tiles)) {
        Image strip(picture.width, side * scale, 3);
        for (const int left : startsOf(rgb.width, tiles))
            pasteAcross(strip, enlarge(tileAt(rgb, left, top, side)), left * scale, ramp);
        pasteDown(picture, strip, top * scale, ramp);
    }
    return picture;
}

std::vector<Enlarging> enlargingsTo(int width, int height, int toWidth, int toHeight, int scale,
                                    const UpscaleTiles &tiles)
{
    std::vector<Enlarging> list;
    const double factor = largerBy(width, height, toWidth, toHeight);
    if (factor <= 1) return list;
    const int wide = wantedSide(width, factor), high = wantedSide(height, factor);
    for (int i = 0; i < kMostTimes && (width < wide || height < high); ++i) {
        if (std::max(width, height) > kMostSide / scale)
            throw Failure{{ErrorCode::InvalidArgument,
                           "the upscaler would make a picture of " + std::to_string(width * scale) + " x " +
                               std::to_string(height * scale) + " on the way: at most " + std::to_string(kMostSide) +
                               " pixels are supported",
                           "hr_upscaler"}};
        if (tiles.side > 0) {
            const std::size_t count = startsOf(width, tiles).size() * startsOf(height, tiles).size();
            list.push_back({width, height, tiles.side, tiles.side, static_cast<std::int64_t>(count)});
        } else {
            list.push_back({width, height, width, height, 1});
        }
        if (scale == 1) break;
        width *= scale;
        height *= scale;
    }
    return list;
}

Image enlargeTo(const Image &rgb, int width, int height, int scale, const UpscaleTiles &tiles, const Enlarge &enlarge)
{
    const double factor = largerBy(rgb.width, rgb.height, width, height);
    Image picture = rgb;
    if (factor > 1) {
        const int wide = wantedSide(rgb.width, factor), high = wantedSide(rgb.height, factor);
        const std::size_t times = enlargingsTo(rgb.width, rgb.height, width, height, scale, tiles).size();
        for (std::size_t i = 0; i < times; ++i)
            picture = enlargeInTiles(picture, scale, tiles, enlarge);
        if (picture.width != wide || picture.height != high) picture = resample(picture, wide, high, Filter::Lanczos);
    }
    if (picture.width == width && picture.height == height) return picture;
    return resample(picture, width, height, Filter::Lanczos);
}

}  // namespace sg::imaging
