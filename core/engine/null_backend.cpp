#include "core/engine/null_backend.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>

namespace sg::engine {
namespace {

constexpr std::int64_t kPreviewFactor = 8;

/// The step that comes next.
struct NullPlace {
    std::int64_t iteration = 0;
    std::int64_t step = 1;
};

class NullRun final : public ParkedRun {
public:
    explicit NullRun(const NullPlace &at) : place(at) {}
    std::uint64_t bytes() const override { return 0; }

    NullPlace place;
};

/// False when the task was cancelled meanwhile.
bool rest(std::chrono::milliseconds duration, const std::stop_token &stop)
{
    if (duration.count() > 0) {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait_for(lock, stop, duration, [] { return false; });
    }
    return !stop.stop_requested();
}

}  // namespace

Image plainPicture(std::int64_t width, std::int64_t height, std::int64_t seed)
{
    Image picture(static_cast<int>(width), static_cast<int>(height), 3);
    const auto mixed = static_cast<std::uint64_t>(seed) * 0x9e3779b97f4a7c15u;
    for (std::size_t i = 0; i < picture.pixels.size(); ++i)
        picture.pixels[i] = static_cast<std::uint8_t>(mixed >> (40 + 8 * (i % 3)));
    return picture;
}

Expected<LoadReport> NullBackend::load(const ModelRef &model, const LoadWatch &, std::stop_token)
{
    std::error_code ignored;
    const std::uintmax_t size = std::filesystem::file_size(model.path, ignored);
    const std::uint64_t bytes = ignored ? 0 : size;
    const std::lock_guard lock(m_mutex);
    const auto same = [&](const ResidentModel &resident) { return resident.path == model.path; };
    if (std::none_of(m_models.begin(), m_models.end(), same)) m_models.push_back({model.path, bytes, 0, 0, 0});
    return LoadReport{"null", bytes, {}, {}};
}

Expected<std::unique_ptr<ParkedRun>> NullBackend::generate(const ModelRef &model, const GenerationRequest &request,
                                                           GenerationSink &sink, std::stop_token stop,
                                                           const ParkedRun *from)
{
    if (Expected<LoadReport> loaded = load(model, {}, stop); !loaded) return Unexpected{loaded.error()};
    const std::int64_t iterations = request.imageCount() / request.batchSize;
    const auto steps = static_cast<double>(request.steps * iterations);
    StepProgress at{.steps = request.steps, .images = request.imageCount()};
    const NullPlace begin = from ? static_cast<const NullRun *>(from)->place : NullPlace{};
    for (std::int64_t iteration = begin.iteration; iteration < iterations; ++iteration) {
        at.image = iteration * request.batchSize;
        for (at.step = iteration == begin.iteration ? begin.step : 1; at.step <= request.steps; ++at.step) {
            if (sink.pauseWanted()) return std::make_unique<NullRun>(NullPlace{iteration, at.step});
            if (!rest(m_step, stop)) return fail(ErrorCode::Cancelled, "the task was cancelled");
            at.sigma = 14.6 * static_cast<double>(request.steps - at.step) / static_cast<double>(request.steps);
            at.fraction = static_cast<double>(iteration * request.steps + at.step) / steps;
            sink.progress(at);
            if (sink.previewDue())
                sink.preview(at.step, at.image,
                             plainPicture(std::max<std::int64_t>(request.width / kPreviewFactor, 1),
                                          std::max<std::int64_t>(request.height / kPreviewFactor, 1),
                                          request.imageSeed(at.image)));
        }
        for (std::int64_t i = 0; i < request.batchSize; ++i) {
            const std::int64_t index = at.image + i;
            sink.image(index, plainPicture(request.hires.enabled ? request.hires.size.width : request.width,
                                           request.hires.enabled ? request.hires.size.height : request.height,
                                           request.imageSeed(index)));
        }
    }
    return nullptr;
}

void NullBackend::unload(const std::optional<std::string> &path)
{
    const std::lock_guard lock(m_mutex);
    std::erase_if(m_models, [&](const ResidentModel &model) { return !path || model.path == *path; });
}

std::vector<ResidentModel> NullBackend::residentModels() const
{
    const std::lock_guard lock(m_mutex);
    return m_models;
}

}  // namespace sg::engine
