#include "core/imaging/change_mask.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace sg::imaging {
namespace {

constexpr int kReach = 2;  // pixels to each side
constexpr int kSide = 2 * kReach + 1;

using Kernel = std::array<double, kSide * kSide>;

/// A bell of radius 1.5, let down so that it would be 0 one pixel beyond its reach, and 1 in the middle.
const Kernel &bell()
{
    static const Kernel kernel = [] {
        const auto gauss = [](double squared) { return std::exp(-squared / (1.5 * 1.5)); };
        const double floor = gauss((kReach + 1.0) * (kReach + 1.0));
        Kernel made{};
        for (int y = -kReach; y <= kReach; ++y)
            for (int x = -kReach; x <= kReach; ++x)
                made[static_cast<std::size_t>((y + kReach) * kSide + x + kReach)] =
                    std::max(0.0, (gauss(x * x + y * y) - floor) / (1 - floor));
        return made;
    }();
    return kernel;
}

/// A part of the weights that lie on top of each other, the smallest value lowest.
struct Window {
    double from = 0, until = 0;
};

/// Between two shares of the sum, but at least 1 wide, and moved so that it lies on the pile.
Window windowOf(double sum, double low, double high)
{
    Window window{sum * low, sum * high};
    if (window.until - window.from >= 1) return window;
    const double middle = (window.from + window.until) / 2;
    window = {middle - 0.5, middle + 0.5};
    if (window.until > sum) window = {sum - 1, sum};
    if (window.from < 0) window = {0, 1};
    return window;
}

/// The weighted mean of the values that lie between two shares of the pile.
float meanBetween(std::vector<std::pair<float, double>> &values, double low, double high)
{
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const auto &[value, weight] : values)
        sum += weight;
    const Window window = windowOf(sum, low, high);
    double total = 0, weights = 0, at = 0;
    for (const auto &[value, weight] : values) {
        const double part = std::min(window.until, at + weight) - std::max(window.from, at);
        at += weight;
        if (part <= 0) continue;
        total += static_cast<double>(value) * part;
        weights += part;
    }
    return weights > 0 ? static_cast<float>(total / weights) : 0;
}

std::vector<float> filtered(const std::vector<float> &plane, int width, int height, double low, double high)
{
    std::vector<float> made(plane.size());
    std::vector<std::pair<float, double>> values;
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            values.clear();
            for (int v = std::max(y - kReach, 0); v <= std::min(y + kReach, height - 1); ++v)
                for (int u = std::max(x - kReach, 0); u <= std::min(x + kReach, width - 1); ++u)
                    values.emplace_back(plane[static_cast<std::size_t>(v * width + u)],
                                        bell()[static_cast<std::size_t>((v - y + kReach) * kSide + u - x + kReach)]);
            made[static_cast<std::size_t>(y * width + x)] = meanBetween(values, low, high);
        }
    return made;
}

}  // namespace

Image changeMask(const std::vector<float> &changes, const Image &latentMask, const ChangeMaskOptions &options)
{
    const int width = latentMask.width, height = latentMask.height;
    const std::vector<float> widened = filtered(changes, width, height, 0.9, 1);
    const std::vector<float> smooth = filtered(widened, width, height, 0.25, 0.75);
    Image mask(width, height, 1);
    for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
        const float drawn = static_cast<float>(latentMask.pixels[i]) / 255;
        const auto influence = static_cast<float>(options.maskInfluence);
        float scale = 1 - std::pow(drawn, static_cast<float>(options.preservationStrength / 2));
        scale = 0.5f * (1 - influence) + scale * influence;
        scale /= 1.00001f - scale;
        const float ratio = smooth[i] / (static_cast<float>(options.differenceThreshold) * scale);
        const float kept = 1 / (1 + std::pow(ratio, static_cast<float>(options.differenceContrast)));
        const float shown = 1 - kept * kept * kept * (kept * (6 * kept - 15) + 10);
        // 0 / 0: nothing has changed where any change would do.
        mask.pixels[i] = std::isnan(shown) ? 0 : static_cast<std::uint8_t>(std::clamp(255 * shown, 0.0f, 255.0f));
    }
    return mask;
}

}  // namespace sg::imaging
