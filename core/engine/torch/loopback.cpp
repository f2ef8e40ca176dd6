#include "core/engine/torch/loopback.h"

#include <utility>

namespace sg::engine {
namespace {

/// One loop's place in the whole task.
class LoopSink final : public GenerationSink {
public:
    LoopSink(GenerationSink &sink, std::int64_t images) : m_sink(sink), m_images(images) {}

    void begin(std::int64_t loop, std::int64_t loops, std::int64_t image)
    {
        m_loop = loop;
        m_loops = loops;
        m_image = image;
    }
    Image take() { return std::move(m_picture); }

    void progress(const StepProgress &progress) override
    {
        StepProgress whole = progress;
        whole.image = m_image;
        whole.images = m_images;
        whole.fraction = (static_cast<double>(m_loop) + progress.fraction) / static_cast<double>(m_loops);
        m_sink.progress(whole);
    }
    void alive() override { m_sink.alive(); }
    bool previewDue() override { return m_sink.previewDue(); }
    // Between loops there is more than a pass to keep, so a task of loops is not left: pauseWanted() stays false.
    const Inspection *inspection() const override { return m_sink.inspection(); }
    void found(Finding finding) override { m_sink.found(std::move(finding)); }
    void preview(std::int64_t step, std::int64_t, Image picture) override
    {
        m_sink.preview(step, m_image, std::move(picture));
    }
    void image(std::int64_t, Image picture) override { m_picture = std::move(picture); }
    void warning(std::string text) override { m_sink.warning(std::move(text)); }
    void fact(std::string key, std::string value) override { m_sink.fact(std::move(key), std::move(value)); }

private:
    GenerationSink &m_sink;
    std::int64_t m_images;
    std::int64_t m_loop = 0, m_loops = 1;  // of the whole task
    std::int64_t m_image = 0;
    Image m_picture;
};

}  // namespace

void drawLoops(const GenerationRequest &request, GenerationSink &sink, const DrawOne &draw)
{
    const std::int64_t loops = request.loopback.loops, repetitions = request.iterations;
    LoopSink collecting(sink, request.imageCount());
    for (std::int64_t repetition = 0; repetition < repetitions; ++repetition) {
        GenerationRequest wanted = request;
        wanted.loopback = {};
        wanted.batchSize = wanted.iterations = 1;
        if (wanted.start.colourCorrection) wanted.start.colours = request.start.pictures.front();
        for (std::int64_t loop = 0; loop < loops; ++loop) {
            const std::int64_t made = repetition * loops + loop;
            const std::int64_t image = repetitions == 1 ? loop : repetition;
            wanted.seed = request.seed + made;
            wanted.denoisingStrength = request.loopback.strengthOf(loop, request.denoisingStrength);
            collecting.begin(made, loops * repetitions, image);
            draw(wanted, collecting);
            Image picture = collecting.take();
            wanted.start.pictures = {picture};
            wanted.start.maskedContent = MaskedContent::Original;
            if (repetitions == 1 || loop + 1 == loops) sink.image(image, std::move(picture));
        }
    }
}

}  // namespace sg::engine
