#include "core/imaging/colour.h"

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>

namespace sg::imaging {
namespace {

using Shares = std::array<double, 256>;  // how much of a channel is at most this value

Image converted(const Image &image, int code)
{
    Image made(image.width, image.height, 3);
    const cv::Mat from(image.height, image.width, CV_8UC3, const_cast<std::uint8_t *>(image.pixels.data()));
    cv::Mat to(made.height, made.width, CV_8UC3, made.pixels.data());
    cv::cvtColor(from, to, code);
    return made;
}

Shares sharesOf(const Image &image, std::size_t channel)
{
    Shares shares{};
    for (std::size_t i = channel; i < image.pixels.size(); i += 3)
        shares[image.pixels[i]] += 1;
    double sum = 0;
    for (double &share : shares)
        share = sum += share;
    for (double &share : shares)
        share /= sum;
    return shares;
}

/// Where `wanted` lies among the values that the target really has: linear between neighbours, cut to a byte.
std::uint8_t valueAt(double wanted, const Shares &target)
{
    int below = -1;
    double belowShare = 0;
    for (int value = 0; value < 256; ++value) {
        const double share = target[static_cast<std::size_t>(value)];
        if (share == belowShare) continue;  // no pixel has this value
        if (share >= wanted) {
            if (below < 0 || share == wanted) return static_cast<std::uint8_t>(value);
            const double slope = (value - below) / (share - belowShare);
            return static_cast<std::uint8_t>(slope * (wanted - belowShare) + below);
        }
        below = value;
        belowShare = share;
    }
    return static_cast<std::uint8_t>(std::max(below, 0));
}

Image histogramMatched(const Image &image, const Image &target)
{
    Image made = image;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const Shares held = sharesOf(image, channel), wanted = sharesOf(target, channel);
        std::array<std::uint8_t, 256> map{};
        for (std::size_t value = 0; value < map.size(); ++value)
            map[value] = valueAt(held[value], wanted);
        for (std::size_t i = channel; i < made.pixels.size(); i += 3)
            made.pixels[i] = map[made.pixels[i]];
    }
    return made;
}

double luminance(const double *rgb)
{
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/// Colours from one pixel, luminance from another; what leaves 0..1 is drawn towards the luminance.
void setLuminosity(double *colour, double wanted)
{
    const double shift = wanted - luminance(colour);
    for (int c = 0; c < 3; ++c)
        colour[c] += shift;
    const double light = luminance(colour);
    const double least = std::min({colour[0], colour[1], colour[2]});
    const double most = std::max({colour[0], colour[1], colour[2]});
    for (int c = 0; c < 3; ++c) {
        if (least < 0) colour[c] = light + (colour[c] - light) * light / (light - least);
        if (most > 1) colour[c] = light + (colour[c] - light) * (1 - light) / (most - light);
    }
}

}  // namespace

Image withColoursOf(const Image &picture, const Image &target)
{
    assert(picture.channels == 3 && target.channels == 3 && !picture.empty() && !target.empty());
    const Image matched =
        converted(histogramMatched(converted(picture, cv::COLOR_RGB2Lab), converted(target, cv::COLOR_RGB2Lab)),
                  cv::COLOR_Lab2RGB);
    Image made(picture.width, picture.height, 3);
    for (std::size_t i = 0; i < made.pixels.size(); i += 3) {
        double colour[3], own[3];
        for (std::size_t c = 0; c < 3; ++c) {
            colour[c] = matched.pixels[i + c] / 255.0;
            own[c] = picture.pixels[i + c] / 255.0;
        }
        setLuminosity(colour, luminance(own));
        for (std::size_t c = 0; c < 3; ++c)
            made.pixels[i + c] = static_cast<std::uint8_t>(std::lround(std::clamp(colour[c], 0.0, 1.0) * 255));
    }
    return made;
}

}  // namespace sg::imaging
