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

/// Where tiles of `tile` begin.
std::vector<int> startsOf(int length, int tile)
{
    const int step = kUpscaleTile - kUpscaleOverlap;
    const int count = length <= tile ? 1 : (length - kUpscaleOverlap + step - 1) / step;
    std::vector<int> starts{0};
    for (int i = 1; i < count; ++i) {
        const double distance = static_cast<double>(length - tile) / (count - 1);
        starts.push_back(std::min(static_cast<int>(i * distance), length - tile));
    }
    return starts;
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
        for (int x = 0; x < tile.width; ++x) {
            const unsigned weight = left == 0 ? 255 : rampAt(x, ramp);
            std::uint8_t *to = strip.row(y) + 3 * static_cast<std::size_t>(left + x);
            const std::uint8_t *from = tile.row(y) + 3 * static_cast<std::size_t>(x);
            for (int c = 0; c < 3; ++c)
                to[c] = mixed(to[c], from[c], weight);
        }
}

void pasteDown(Image &picture, const Image &strip, int top, int ramp)
{
    for (int y = 0; y < strip.height; ++y) {
        const unsigned weight = top == 0 ? 255 : rampAt(y, ramp);
        std::uint8_t *to = picture.row(top + y);
        const std::uint8_t *from = strip.row(y);
        for (std::size_t i = 0; i < strip.stride(); ++i)
            to[i] = mixed(to[i], from[i], weight);
    }
}

int wantedSide(int side, double factor)
{
    return static_cast<int>(std::floor(side * factor / kMultiple)) * kMultiple;
}

}  // namespace

Image enlargeInTiles(const Image &rgb, int scale, const Enlarge &enlarge)
{
    const int width = std::min(rgb.width, kUpscaleTile), height = std::min(rgb.height, kUpscaleTile);
    const int ramp = kUpscaleOverlap * scale;
    Image picture(rgb.width * scale, rgb.height * scale, 3);
    for (const int top : startsOf(rgb.height, height)) {
        Image strip(picture.width, height * scale, 3);
        for (const int left : startsOf(rgb.width, width))
            pasteAcross(strip, enlarge(cropped(rgb, left, top, width, height)), left * scale, ramp);
        pasteDown(picture, strip, top * scale, ramp);
    }
    return picture;
}

Image enlargeTo(const Image &rgb, int width, int height, int scale, const Enlarge &enlarge)
{
    const double factor = std::max(static_cast<double>(width) / rgb.width, static_cast<double>(height) / rgb.height);
    Image picture = rgb;
    if (factor > 1) {
        const int wide = wantedSide(rgb.width, factor), high = wantedSide(rgb.height, factor);
        for (int i = 0; i < kMostTimes && (picture.width < wide || picture.height < high); ++i) {
            if (std::max(picture.width, picture.height) > kMostSide / scale)
                throw Failure{{ErrorCode::InvalidArgument,
                               "hr_upscaler would make a picture of " + std::to_string(picture.width * scale) + " x " +
                                   std::to_string(picture.height * scale) + " on the way: at most " +
                                   std::to_string(kMostSide) + " pixels are supported",
                               "hr_upscaler"}};
            picture = enlargeInTiles(picture, scale, enlarge);
            if (scale == 1) break;
        }
        if (picture.width != wide || picture.height != high) picture = resample(picture, wide, high, Filter::Lanczos);
    }
    if (picture.width == width && picture.height == height) return picture;
    return resample(picture, width, height, Filter::Lanczos);
}

}  // namespace sg::imaging
