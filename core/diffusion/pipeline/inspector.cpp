#include "core/diffusion/pipeline/inspector.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace sg {
namespace {

constexpr std::int64_t kLargestMap = 128;  // pixels of a side; larger ones are averaged
constexpr float kWhite = 255;
constexpr std::string_view kFirstModule = "input_blocks.0.0";  // what it gives has the latent's size

/// Two tensors as a safetensors file of float32.
std::string asFile(const std::vector<std::pair<std::string, torch::Tensor>> &tensors)
{
    Json header = Json::object();
    std::string bytes;
    for (const auto &[name, tensor] : tensors) {
        const torch::Tensor plain = tensor.to(torch::kCPU).to(torch::kFloat).contiguous();
        const std::size_t begin = bytes.size();
        bytes.append(static_cast<const char *>(plain.data_ptr()), plain.nbytes());
        header[name] = {{"dtype", "F32"}, {"shape", plain.sizes().vec()}, {"data_offsets", {begin, bytes.size()}}};
    }
    const std::string text = header.dump();
    std::string file;
    for (int i = 0; i < 8; ++i)
        file.push_back(static_cast<char>(text.size() >> (8 * i) & 0xff));
    return file + text + bytes;
}

/// The size of the level whose pixels these tokens are, halved from the latent's; zeros when there is none.
std::pair<std::int64_t, std::int64_t> sizeOf(std::int64_t tokens, std::int64_t height, std::int64_t width)
{
    while (height * width > tokens && height * width > 1) {
        height = (height + 1) / 2;
        width = (width + 1) / 2;
    }
    return height * width == tokens ? std::pair(height, width) : std::pair<std::int64_t, std::int64_t>(0, 0);
}

Image greyOf(const torch::Tensor &map, float largest)
{
    const torch::Tensor bytes =
        (map * (largest > 0 ? kWhite / largest : 0)).round().clamp(0, kWhite).to(torch::kUInt8).contiguous();
    Image image(static_cast<int>(map.size(1)), static_cast<int>(map.size(0)), 1);
    const auto *const from = bytes.data_ptr<std::uint8_t>();
    image.pixels.assign(from, from + bytes.numel());
    return image;
}

}  // namespace

Json tensorStatistics(const torch::Tensor &tensor)
{
    const torch::Tensor plain = tensor.to(torch::kFloat).reshape({-1});
    const torch::Tensor sound = plain.masked_select(plain.isfinite());
    Json json{{"shape", tensor.sizes().vec()}, {"notFinite", plain.numel() - sound.numel()}};
    if (sound.numel() == 0) return json;
    json["min"] = sound.min().item<float>();
    json["max"] = sound.max().item<float>();
    json["mean"] = sound.mean().item<float>();
    json["std"] = sound.std(/*unbiased=*/false).item<float>();
    return json;
}

void Inspector::beginStep(std::int64_t step)
{
    m_step = step;
    m_seen.clear();
}

/// Whether this comes for the first time in a step that is wanted.
bool Inspector::first(const std::string &what)
{
    return m_wanted.wantsStep(m_step) && m_seen.insert(what).second;
}

void Inspector::show(Finding finding)
{
    const bool latents = !finding.payload.empty();
    if (++m_shown > kMaxFindings || (latents && m_latentBytes + finding.payload.size() > kMaxLatentBytes)) {
        m_sink.warning("there is more to inspect than one task shows: the rest was left out");
        return;
    }
    m_latentBytes += finding.payload.size();
    finding.facts["step"] = m_step;
    m_sink.found(std::move(finding));
}

void Inspector::stepMade(std::int64_t number, const sampling::SamplerStep &step)
{
    m_step = number;
    if (m_wanted.latents && m_wanted.wantsStep(m_step)) {
        Json facts{{"sigma", step.sigma}, {"x", tensorStatistics(step.x)}, {"x0", tensorStatistics(step.denoised)}};
        // Above the limit the file is not even made.
        const bool room = m_latentBytes + 2 * step.x.nbytes() <= kMaxLatentBytes;
        if (room)
            show({"latents", std::move(facts), asFile({{"x", step.x}, {"x0", step.denoised}}), {}});
        else
            show({"latents", std::move(facts), {}, {}});
    }
    beginStep(number + 1);
}

void Inspector::output(const torch::Tensor &made)
{
    if (name() == kFirstModule) {
        m_height = made.size(2);
        m_width = made.size(3);
    }
    const bool wanted = std::any_of(m_wanted.modules.begin(), m_wanted.modules.end(),
                                    [&](const std::string &beginning) { return name().starts_with(beginning); });
    if (wanted && first("output " + name()))
        show({"tensor", {{"module", name()}, {"statistics", tensorStatistics(made)}}, {}, {}});
}

void Inspector::attention(const torch::Tensor &q, const torch::Tensor &k, std::int64_t heads)
{
    if (!m_wanted.token || *m_wanted.token >= k.size(1) || !first("attention " + name())) return;
    const auto [height, width] = sizeOf(q.size(1), m_height, m_width);
    if (height == 0) return;
    const std::int64_t depth = q.size(2) / heads;
    torch::Tensor sum = torch::zeros({q.size(1)}, torch::kFloat);
    for (std::int64_t head = 0; head < heads; ++head) {  // one after the other: a matrix of all would be large
        const torch::Tensor rows = q[0].narrow(1, head * depth, depth).to(torch::kFloat);
        const torch::Tensor columns = k[0].narrow(1, head * depth, depth).to(torch::kFloat);
        const torch::Tensor shares = torch::softmax(rows.mm(columns.t()) / std::sqrt(static_cast<double>(depth)), 1);
        sum += shares.select(1, *m_wanted.token).to(torch::kCPU);
    }
    torch::Tensor map = (sum / static_cast<double>(heads)).view({height, width});
    const std::int64_t side = std::max(height, width);
    if (side > kLargestMap) {
        const std::int64_t parts = (side + kLargestMap - 1) / kLargestMap;
        map = at::adaptive_avg_pool2d(map.view({1, 1, height, width}), {std::max<std::int64_t>(height / parts, 1),
                                                                        std::max<std::int64_t>(width / parts, 1)})
                  .squeeze(0)
                  .squeeze(0);
    }
    const auto largest = map.max().item<float>();
    show({"attention",
          {{"layer", name()},
           {"token", *m_wanted.token},
           {"width", map.size(1)},
           {"height", map.size(0)},
           {"heads", heads},
           {"max", largest},
           {"mean", map.mean().item<float>()}},
          {},
          greyOf(map, largest)});
}

}  // namespace sg
