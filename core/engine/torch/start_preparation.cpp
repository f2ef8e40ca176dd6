#include "core/engine/torch/start_preparation.h"

#include "core/base/error.h"
#include "core/imaging/blur.h"
#include "core/imaging/colour.h"
#include "core/imaging/composite.h"
#include "core/imaging/inpaint_area.h"
#include "core/imaging/resample.h"
#include "core/imaging/resize_mode.h"

#include <string>
#include <utility>

namespace sg::engine {
namespace {

using imaging::ResizeMode;

/// A mask has to end at the drawn size, so "latent upscale" stretches pictures that have one.
ResizeMode resizeModeOf(const GenerationRequest &request)
{
    const auto mode = static_cast<ResizeMode>(request.start.resizeMode);
    return mode == ResizeMode::LatentUpscale && !request.start.mask.empty() ? ResizeMode::Stretch : mode;
}

Image greyResized(const Image &mask, ResizeMode mode, const GenerationRequest &request)
{
    return imaging::toGrey(
        imaging::resized(mask, mode, static_cast<int>(request.width), static_cast<int>(request.height)));
}

Image cut(const Image &image, const imaging::Region &region)
{
    return imaging::cropped(image, region.left, region.top, region.width(), region.height());
}

}  // namespace

StartPreparation::StartPreparation(const GenerationRequest &request, std::int64_t latentFactor)
    : m_batchSize(request.batchSize)
{
    if (!request.start.used()) return;
    const Image &mask = request.start.mask;
    for (const Image &picture : request.start.pictures)
        if (!mask.empty() && (mask.width != picture.width || mask.height != picture.height))
            throw Failure{{ErrorCode::InvalidArgument, "mask and start picture must be of the same size", "mask"}};
    m_prepared.stretchLatents = resizeModeOf(request) == ResizeMode::LatentUpscale;
    if (!mask.empty()) prepareMask(request, latentFactor);
    for (const Image &picture : request.start.pictures)
        m_prepared.pictures.push_back(preparePicture(request, picture));
}

void StartPreparation::prepareMask(const GenerationRequest &request, std::int64_t latentFactor)
{
    const StartPictures &start = request.start;
    Image mask = imaging::maskFromPicture(start.mask);
    if (start.maskInvert) mask = imaging::inverted(mask);
    mask = imaging::maskBlur(mask, start.maskBlurX, start.maskBlurY);
    const auto width = static_cast<int>(request.width), height = static_cast<int>(request.height);
    if (start.onlyMasked) {
        m_region = imaging::maskedRegion(mask, start.padding);
        if (!m_region) return;  // an empty mask: plain image-to-image
        m_region = imaging::expandedTo(*m_region, width, height, mask.width, mask.height);
        m_prepared.mask = greyResized(cut(mask, *m_region), ResizeMode::ResizeAndFill, request);
        m_overlayMask = std::move(mask);
    } else {
        m_prepared.mask = greyResized(mask, resizeModeOf(request), request);
        m_overlayMask = imaging::doubled(m_prepared.mask);
    }
    m_prepared.latentMask = imaging::resample(m_prepared.mask, width / static_cast<int>(latentFactor),
                                              height / static_cast<int>(latentFactor), imaging::Filter::Bicubic);
}

Image StartPreparation::preparePicture(const GenerationRequest &request, const Image &picture)
{
    const auto width = static_cast<int>(request.width), height = static_cast<int>(request.height);
    Image image = imaging::flattened(picture, 255, 255, 255);
    if (!m_region && !m_prepared.stretchLatents)
        image = imaging::toRgb(imaging::resized(image, resizeModeOf(request), width, height));
    if (!m_overlayMask.empty()) m_overlays.push_back(imaging::overlayOf(image, m_overlayMask));
    if (m_region)
        image = imaging::toRgb(imaging::resized(cut(image, *m_region), ResizeMode::ResizeAndFill, width, height));
    if (!m_prepared.mask.empty() && request.start.maskedContent != MaskedContent::Original)
        image = imaging::filledFromSurroundings(image, m_prepared.mask);
    if (request.start.colourCorrection) m_colours.push_back(image);
    return image;
}

Image StartPreparation::finished(std::int64_t index, Image drawn) const
{
    const auto of = [&](const std::vector<Image> &list) -> const Image & {
        return list[list.size() == 1 ? 0 : static_cast<std::size_t>(index % m_batchSize) % list.size()];
    };
    if (!m_colours.empty()) drawn = imaging::withColoursOf(drawn, of(m_colours));
    if (m_overlays.empty()) return drawn;
    if (m_region) return imaging::withOverlay(drawn, of(m_overlays), *m_region);
    return imaging::withOverlay(drawn, of(m_overlays));
}

std::function<Image(const Image &, int, int)> pictureEnlarger(const GenerationRequest &request)
{
    const imaging::Filter filter =
        request.hires.upscaler == "Nearest" ? imaging::Filter::Nearest : imaging::Filter::Lanczos;
    return [filter](const Image &picture, int width, int height) {
        return imaging::resample(picture, width, height, filter);
    };
}

}  // namespace sg::engine
