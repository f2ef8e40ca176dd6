#include "core/diffusion/pipeline/latent_image.h"

#include "core/base/error.h"
#include "core/diffusion/vae/fitting.h"

#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sg {
namespace {

constexpr std::int64_t kPreviewSide = 256;  // small previews are enlarged up to about this
constexpr std::int64_t kMostEnlarged = 4;

const std::vector<std::array<float, 3>> &stableDiffusion1()
{
    static const std::vector<std::array<float, 3>> factors{
        {0.298f, 0.207f, 0.208f}, {0.187f, 0.286f, 0.173f}, {-0.158f, 0.189f, 0.264f}, {-0.184f, -0.271f, -0.473f}};
    return factors;
}

}  // namespace

Image toImage(const torch::Tensor &picture)
{
    const torch::Tensor bytes = ((picture.to(torch::kFloat) + 1) / 2)
                                    .clamp(0, 1)
                                    .mul(255)
                                    .to(torch::kByte)
                                    .permute({1, 2, 0})
                                    .to(torch::kCPU)
                                    .contiguous();
    Image image(static_cast<int>(bytes.size(1)), static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(2)));
    std::memcpy(image.pixels.data(), bytes.data_ptr<std::uint8_t>(), image.pixels.size());
    return image;
}

Image previewImage(const torch::Tensor &latent, const std::vector<std::array<float, 3>> &factors)
{
    const std::vector<std::array<float, 3>> &rows = factors.empty() ? stableDiffusion1() : factors;
    const auto used = std::min<std::int64_t>(latent.size(0), static_cast<std::int64_t>(rows.size()));
    const torch::Tensor small = latent.to(torch::kFloat).to(torch::kCPU);
    torch::Tensor rgb = torch::zeros({3, small.size(1), small.size(2)});
    for (std::int64_t channel = 0; channel < used; ++channel)
        for (std::int64_t colour = 0; colour < 3; ++colour)
            rgb[colour] += small[channel] * rows[static_cast<std::size_t>(channel)][static_cast<std::size_t>(colour)];
    if (static_cast<std::int64_t>(rows.size()) > latent.size(0))
        for (std::int64_t colour = 0; colour < 3; ++colour)
            rgb[colour] += rows.back()[static_cast<std::size_t>(colour)];
    const std::int64_t side = std::max(rgb.size(1), rgb.size(2));
    const std::int64_t enlarge = std::clamp<std::int64_t>(kPreviewSide / side, 1, kMostEnlarged);
    if (enlarge > 1)
        rgb =
            at::upsample_bilinear2d(rgb.unsqueeze(0), {rgb.size(1) * enlarge, rgb.size(2) * enlarge}, false).squeeze(0);
    return toImage(rgb);
}

std::optional<Image> DecodedPreviews::make(Autoencoder &vae, const torch::Tensor &latent)
{
    const auto seconds = [this] { return std::chrono::duration<double>(Clock::now() - m_start).count(); };
    const double before = seconds();
    if (m_over || !m_budget.allows(before)) return std::nullopt;
    coding::Options options = coding::currentOptions();
    options.tiled = {};   // not the picture's affair
    options.begins = {};  // the steps go on afterwards
    const coding::Scope scope(std::move(options));
    try {
        Image made = toImage(coding::decode(vae, latent.unsqueeze(0))[0]);
        m_budget.spend(seconds() - before);
        return made;
    } catch (const Failure &failure) {
        if (failure.error.code != ErrorCode::OutOfMemory) throw;
    }
    m_over = true;
    return std::nullopt;
}

LatentPlane movedBetween(const torch::Tensor &before, const torch::Tensor &after)
{
    const torch::Tensor distance = (after - before).norm(2, {0}).to(torch::kCPU, torch::kFloat).contiguous();
    LatentPlane plane{static_cast<int>(distance.size(1)), static_cast<int>(distance.size(0)), {}};
    plane.values.assign(distance.data_ptr<float>(), distance.data_ptr<float>() + distance.numel());
    return plane;
}

}  // namespace sg
