#include "core/engine/torch/start_preparation.h"

#include "core/base/error.h"
#include "core/imaging/blur.h"
#include "core/imaging/change_mask.h"
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

constexpr double kLatentBlurShare = 0.25;  // of the mask's blur by which outpainting goes into the old part's latents
constexpr double kSoftBlur = 4;            // radius in pixels

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

Image stretchedTo(const Image &mask, const Image &picture)
{
    if (mask.width == picture.width && mask.height == picture.height) return mask;
    return imaging::resample(mask, picture.width, picture.height, imaging::Filter::Lanczos);
}

Image cut(const Image &image, const imaging::Region &region)
{
    return imaging::cropped(image, region.left, region.top, region.width(), region.height());
}

}  // namespace

StartPreparation::StartPreparation(const GenerationRequest &request, std::int64_t latentFactor, imaging::Larger larger)
    : m_batchSize(request.batchSize), m_larger(std::move(larger))
{
    const StartPictures &start = request.start;
    if (!start.used()) return;
    const Image &first = start.pictures.front();
    const bool oneSize = start.outpaint.enabled || (start.onlyMasked && !start.mask.empty());
    for (std::size_t i = 0; i < start.pictures.size(); ++i)
        if (oneSize && (start.pictures[i].width != first.width || start.pictures[i].height != first.height))
            throw Failure{{ErrorCode::InvalidArgument,
                           "init_images[" + std::to_string(i) +
                               "] has another size than init_images[0]: outpainting and \"only masked\" need one size",
                           "init_images"}};
    m_prepared.stretchLatents = resizeModeOf(request) == ResizeMode::LatentUpscale;
    if (start.outpaint.enabled)
        prepareCanvas(request);
    else if (!start.mask.empty())
        prepareMask(request);
    if (!m_prepared.mask.empty()) {
        prepareLatentMask(request, latentFactor);
        if (start.soft.enabled) m_soft = start.soft;
    }
    for (std::size_t i = 0; i < start.pictures.size(); ++i) {
        try {
            m_prepared.pictures.push_back(preparePicture(request, start.pictures[i]));
        } catch (Failure &failure) {
            if (failure.error.subject == "init_images")
                failure.error.message = "init_images[" + std::to_string(i) + "]: " + failure.error.message;
            throw;
        }
    }
}

void StartPreparation::prepareMask(const GenerationRequest &request)
{
    const StartPictures &start = request.start;
    Image mask = imaging::maskFromPicture(start.mask, start.maskRound && !start.soft.enabled);
    const Image &picture = start.pictures.front();
    // The part is cut out of the picture, so the mask must be of its size; the whole picture's is resized below.
    if (start.onlyMasked) mask = stretchedTo(mask, picture);
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
}

/// The mask of outpainting: all that is new, and as much of the old along its edge as the blur needs.
void StartPreparation::prepareCanvas(const GenerationRequest &request)
{
    const StartPictures &start = request.start;
    const auto width = static_cast<int>(request.width), height = static_cast<int>(request.height);
    const Image &picture = start.pictures.front();
    const int right = width - start.outpaint.left - picture.width, down = height - start.outpaint.up - picture.height;
    if (right < 0 || down < 0)
        throw Failure{{ErrorCode::InvalidArgument, "width and height are smaller than the outpainted picture",
                       right < 0 ? "width" : "height"}};
    const auto maskKeeping = [&](double share) {
        const auto blurX = static_cast<int>(start.maskBlurX * share), blurY = static_cast<int>(start.maskBlurY * share);
        const auto from = [](int before, int blur) { return before > 0 ? before + blur : 0; };
        const int left = from(start.outpaint.left, blurX), top = from(start.outpaint.up, blurY);
        const int end = width - from(right, blurX), bottom = height - from(down, blurY);
        Image mask(width, height, 1);
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x)
                mask.row(y)[x] = x >= left && x < end && y >= top && y < bottom ? 0 : 255;
        return mask;
    };
    m_prepared.mask = imaging::maskBlur(maskKeeping(1), start.maskBlurX, start.maskBlurY);
    m_overlayMask = imaging::doubled(m_prepared.mask);
    m_drawnMask = maskKeeping(kLatentBlurShare);
}

void StartPreparation::prepareLatentMask(const GenerationRequest &request, std::int64_t latentFactor)
{
    const Image &own = request.start.latentMask;
    if (!own.empty() && !request.start.outpaint.enabled) {
        if (m_region)
            m_drawnMask = greyResized(cut(stretchedTo(imaging::toGrey(own), request.start.pictures.front()), *m_region),
                                      ResizeMode::ResizeAndFill, request);
        else
            m_drawnMask = greyResized(imaging::toGrey(own), resizeModeOf(request), request);
    }
    if (m_drawnMask.empty()) m_drawnMask = m_prepared.mask;
    m_prepared.latentMask =
        imaging::resample(m_drawnMask, static_cast<int>(request.width / latentFactor),
                          static_cast<int>(request.height / latentFactor), imaging::Filter::Bicubic);
}

Image StartPreparation::preparePicture(const GenerationRequest &request, const Image &picture)
{
    const auto width = static_cast<int>(request.width), height = static_cast<int>(request.height);
    Image image = imaging::flattened(picture, 255, 255, 255);
    if (request.start.outpaint.enabled) {
        Image canvas(width, height, 3);
        imaging::paste(canvas, image, request.start.outpaint.left, request.start.outpaint.up);
        image = std::move(canvas);
    } else if (!m_region && !m_prepared.stretchLatents) {
        image = imaging::toRgb(imaging::resized(image, resizeModeOf(request), width, height, m_larger));
    }
    if (!m_overlayMask.empty()) m_overlays.push_back(imaging::overlayOf(image, m_overlayMask));
    if (m_soft) m_grounds.push_back(image);
    if (m_region)
        image =
            imaging::toRgb(imaging::resized(cut(image, *m_region), ResizeMode::ResizeAndFill, width, height, m_larger));
    if (!m_prepared.mask.empty() && request.start.maskedContent != MaskedContent::Original)
        image = imaging::filledFromSurroundings(image, m_drawnMask);
    if (request.start.colourCorrection)
        m_colours.push_back(request.start.colours.empty() ? image
                                                          : imaging::flattened(request.start.colours, 255, 255, 255));
    return image;
}

/// Where latents have moved little, the start picture takes the place of what they were decoded to.
void StartPreparation::latentsMoved(std::int64_t index, const LatentPlane &distance)
{
    if (!m_soft) return;
    const imaging::ChangeMaskOptions options{m_soft->preservationStrength, m_soft->maskInfluence,
                                             m_soft->differenceThreshold, m_soft->differenceContrast};
    Image mask = imaging::changeMask(distance.values, m_prepared.latentMask, options);
    mask = imaging::resample(mask, m_prepared.mask.width, m_prepared.mask.height, imaging::Filter::Lanczos);
    mask = imaging::gaussianBlur(mask, kSoftBlur);
    const Image &ground = ofPicture(m_grounds, index);
    if (m_region) {
        Image whole(ground.width, ground.height, 1);
        imaging::paste(
            whole,
            imaging::toGrey(imaging::resized(mask, ResizeMode::CropAndResize, m_region->width(), m_region->height())),
            m_region->left, m_region->top);
        mask = std::move(whole);
    }
    m_softOverlay = imaging::overlayOf(ground, mask);
}

const Image &StartPreparation::ofPicture(const std::vector<Image> &list, std::int64_t index) const
{
    return list[list.size() == 1 ? 0 : static_cast<std::size_t>(index % m_batchSize) % list.size()];
}

Image StartPreparation::finished(std::int64_t index, Image drawn) const
{
    if (!m_colours.empty()) drawn = imaging::withColoursOf(drawn, ofPicture(m_colours, index));
    if (m_overlays.empty()) return drawn;
    const Image &overlay = m_softOverlay.empty() ? ofPicture(m_overlays, index) : m_softOverlay;
    if (m_region) return imaging::withOverlay(drawn, overlay, *m_region, m_larger);
    return imaging::withOverlay(drawn, overlay);
}

}  // namespace sg::engine
