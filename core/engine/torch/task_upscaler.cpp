#include "core/engine/torch/task_upscaler.h"

#include "core/engine/messages.h"
#include "core/imaging/resample.h"

#include <algorithm>
#include <string>
#include <vector>

namespace sg::engine {
namespace {

int scaleOf(const TaskUpscaler::Network &network)
{
    return static_cast<int>(network.config.scale);
}

std::vector<imaging::Enlarging> enlargings(int width, int height, int toWidth, int toHeight, int scale,
                                           const imaging::UpscaleTiles &tiles, const std::string &field)
{
    try {
        return imaging::enlargingsTo(width, height, toWidth, toHeight, scale, tiles);
    } catch (Failure &failure) {
        failure.error.subject = field;
        throw;
    }
}

}  // namespace

TaskUpscaler::TaskUpscaler(const ModelRef &model, const GenerationRequest &request, const Open &open)
    : m_request(request), m_name(request.hires.enabled ? request.hires.upscaler : request.start.upscaler),
      m_field(request.hires.enabled ? "hr_upscaler" : "upscaler_for_img2img"),
      m_tiles{static_cast<int>(request.coding.upscalerTile), static_cast<int>(request.coding.upscalerOverlap)}
{
    const std::vector<std::string> &filters = engineTable().find(m_field)->choices;
    if (!request.hires.enabled && !request.start.used()) return;
    if (std::find(filters.begin(), filters.end(), m_name) != filters.end()) return;
    if (!model.upscaler)
        throw Failure{{ErrorCode::InvalidArgument, "there is no upscaler named \"" + m_name + "\"", m_field}};
    m_network = open(model.upscaler->path);
    PlannedUpscaler planned{m_network->config, m_network->weightBytes, m_tiles.side};
    const auto add = [&](std::int64_t width, std::int64_t height, std::int64_t toWidth, std::int64_t toHeight) {
        for (const imaging::Enlarging &one :
             enlargings(static_cast<int>(width), static_cast<int>(height), static_cast<int>(toWidth),
                        static_cast<int>(toHeight), scaleOf(*m_network), m_tiles, m_field)) {
            planned.width = std::max<std::int64_t>(planned.width, one.width);
            planned.height = std::max<std::int64_t>(planned.height, one.height);
        }
    };
    const HiresSize &size = request.hires.size;
    if (request.hires.enabled) add(request.width, request.height, size.upWidth, size.upHeight);
    for (const Image &picture : request.start.pictures)
        add(picture.width, picture.height, request.width, request.height);
    // Of "only masked" a part is enlarged, which is smaller than what is drawn.
    if (!request.start.mask.empty() && request.start.onlyMasked) {
        planned.width = std::max(planned.width, request.width);
        planned.height = std::max(planned.height, request.height);
    }
    if (planned.width > 0) m_planned = planned;
}

void TaskUpscaler::fit(const MemoryPlan &plan, GenerationSink &sink)
{
    if (!m_planned || plan.upscalerTile == m_planned->tile) return;
    m_tiles.side = static_cast<int>(plan.upscalerTile);
    m_tiles.overlap = std::min(m_tiles.overlap, m_tiles.side / 2);
    sink.warning("memory is short: the upscaler works in tiles of " + std::to_string(m_tiles.side) + " pixels");
    sink.fact("ESRGAN tile", std::to_string(m_tiles.side));
    if (m_tiles.overlap != m_request.coding.upscalerOverlap)
        sink.fact("ESRGAN tile overlap", std::to_string(m_tiles.overlap));
}

std::int64_t TaskUpscaler::parts(int width, int height, int toWidth, int toHeight) const
{
    std::int64_t sum = 0;
    if (m_network)
        for (const imaging::Enlarging &one :
             enlargings(width, height, toWidth, toHeight, scaleOf(*m_network), m_tiles, m_field))
            sum += one.tiles;
    return sum;
}

std::int64_t TaskUpscaler::hiresParts() const
{
    if (!m_request.hires.enabled) return 0;
    const HiresSize &size = m_request.hires.size;
    return parts(static_cast<int>(m_request.width), static_cast<int>(m_request.height), static_cast<int>(size.upWidth),
                 static_cast<int>(size.upHeight));
}

Image TaskUpscaler::enlarge(const Image &rgb, int width, int height, const std::function<void()> &partDone,
                            const std::stop_token &stop) const
{
    if (!m_network)
        return imaging::resample(rgb, width, height,
                                 m_name == "Nearest" ? imaging::Filter::Nearest : imaging::Filter::Lanczos);
    // Parts of start pictures may need more than the whole.
    (void)parts(rgb.width, rgb.height, width, height);
    return imaging::enlargeTo(rgb, width, height, scaleOf(*m_network), m_tiles, [&](const Image &tile) {
        Image made = m_network->enlarge(tile, stop);
        partDone();
        return made;
    });
}

}  // namespace sg::engine
