#pragma once

#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/pipeline/prepared_start.h"
#include "core/imaging/mask.h"
#include "core/imaging/resize_mode.h"
#include "core/params/generation_request.h"

#include <optional>
#include <vector>

namespace sg::engine {

/// The work on pixels before and after the networks, in A1111's order: mask, crop, resize, fill; then colours, overlay.
/// Source  A1111 1.10.1's rules as facts (docs/compatibility.md); primitives in core/imaging.
class StartPreparation {
public:
    /// `latentFactor`: pixels for each latent pixel. Errors  throws Failure InvalidArgument (start pictures of
    /// different sizes where a mask or outpainting needs them of one, a canvas smaller than the picture).
    /// `larger`: how pictures become larger; Lanczos where it is empty.
    StartPreparation(const GenerationRequest &request, std::int64_t latentFactor, imaging::Larger larger = {});

    const PreparedStart &prepared() const { return m_prepared; }
    /// Soft inpainting: how far the latents of a drawn picture have moved. Comes before finished().
    void latentsMoved(std::int64_t index, const LatentPlane &distance);
    /// A drawn picture as it is handed over; `index` counts in the whole task.
    Image finished(std::int64_t index, Image drawn) const;

private:
    void prepareMask(const GenerationRequest &request);
    void prepareCanvas(const GenerationRequest &request);
    void prepareLatentMask(const GenerationRequest &request, std::int64_t latentFactor);
    Image preparePicture(const GenerationRequest &request, const Image &picture);

    const Image &ofPicture(const std::vector<Image> &list, std::int64_t index) const;

    std::int64_t m_batchSize = 1;
    imaging::Larger m_larger;
    std::optional<SoftInpainting> m_soft;
    PreparedStart m_prepared;
    Image m_overlayMask;                      // empty without a mask
    Image m_drawnMask;                        // what the latents' mask is made of, at the drawn size
    std::vector<Image> m_grounds;             // soft inpainting: the pictures that the overlays are made of
    Image m_softOverlay;                      // of the picture that comes next
    std::optional<imaging::Region> m_region;  // "only masked"
    std::vector<Image> m_overlays;            // one a start picture, or none
    std::vector<Image> m_colours;             // likewise
};

/// Hands the pictures on after StartPreparation has finished them. `before`: the share of the work that is done by
/// then.
class FinishingSink final : public GenerationSink {
public:
    FinishingSink(const StartPreparation &preparation, GenerationSink &sink, double before = 0)
        : m_preparation(preparation), m_sink(sink), m_before(before)
    {
    }
    void progress(const StepProgress &progress) override
    {
        StepProgress told = progress;
        told.fraction = m_before + (1 - m_before) * told.fraction;
        m_sink.progress(told);
    }
    void alive() override { m_sink.alive(); }
    bool previewDue() override { return m_sink.previewDue(); }
    bool pauseWanted() override { return m_sink.pauseWanted(); }
    const Inspection *inspection() const override { return m_sink.inspection(); }
    void found(Finding finding) override { m_sink.found(std::move(finding)); }
    void preview(std::int64_t step, std::int64_t image, Image picture) override
    {
        m_sink.preview(step, image, std::move(picture));
    }
    void image(std::int64_t index, Image picture) override
    {
        m_sink.image(index, m_preparation.finished(index, std::move(picture)));
    }
    void warning(std::string text) override { m_sink.warning(std::move(text)); }
    void fact(std::string key, std::string value) override { m_sink.fact(std::move(key), std::move(value)); }

private:
    const StartPreparation &m_preparation;
    GenerationSink &m_sink;
    double m_before;
};

}  // namespace sg::engine
