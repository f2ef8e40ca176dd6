#include "core/diffusion/nn/winograd.h"

#include "core/diffusion/nn/matrix_kernels.h"
#include "core/diffusion/nn/parallel.h"
#include "core/diffusion/nn/winograd_kernels.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>

namespace sg::nn {
namespace {

using kernels::kPanel;
using kernels::kProducts;
using kernels::kTile;
using kernels::kWindow;

constexpr std::int64_t kFewestTiles = 128;      // with fewer, reading the larger weight takes what is saved
constexpr std::int64_t kFewestChannels = 32;    // with fewer, the transforms do
constexpr std::int64_t kBlockBytes = 12 << 20;  // of transformed input: what a last cache holds
constexpr std::int64_t kFewestRows = 48;        // of a block: a weight read from memory pays for itself
constexpr std::int64_t kRowGroup = 6;           // rows that multiply() takes at a time
constexpr std::int64_t kPanels = 4;             // of outputs at a time, so that the products stay in the cache

std::int64_t roundUp(std::int64_t value, std::int64_t step)
{
    return (value + step - 1) / step * step;
}

// Floats between the products' matrices: their lines must not all fall into one set of the first cache.
std::int64_t planeOf(std::int64_t floats)
{
    return roundUp(floats, 1024) + 16;
}

std::int64_t tilesOf(const torch::Tensor &x, std::int64_t scale)
{
    return x.size(0) * ((x.size(2) * scale + kTile - 1) / kTile) * ((x.size(3) * scale + kTile - 1) / kTile);
}

// One convolution under way.
class Run {
public:
    Run(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias, const torch::Tensor &plus,
        bool doubled)
        : m_x(x.contiguous(at::MemoryFormat::ChannelsLast)), m_weight(weight), m_shift(doubled ? 1 : 0),
          m_in(x.size(1)), m_out(weight.size(1) * kPanel), m_height(x.size(2) << m_shift),
          m_width(x.size(3) << m_shift), m_rows((m_height + kTile - 1) / kTile),
          m_columns((m_width + kTile - 1) / kTile)
    {
        if (bias.defined()) m_bias = bias.contiguous();
        if (plus.defined()) m_plus = plus.contiguous(at::MemoryFormat::ChannelsLast);
        m_y = at::empty({x.size(0), m_out, m_height, m_width}, x.options(), at::MemoryFormat::ChannelsLast);
        const std::int64_t tiles = m_x.size(0) * m_rows * m_columns;
        const std::int64_t most = std::max(kFewestRows, kBlockBytes / (kProducts * m_in * 4));
        const std::int64_t blocks = (tiles + most - 1) / most;
        m_block = std::min(tiles, roundUp((tiles + blocks - 1) / blocks, kRowGroup));
        m_step = m_in + 16;  // not a power of two
        m_plane = planeOf(m_block * m_step);
        m_productPlane = planeOf(m_block * kPanels * kPanel);
        m_spread = at::empty({kProducts * m_plane}, x.options());
        m_products = at::empty({threadCount(), kProducts * m_productPlane}, x.options());
        m_zeros = at::zeros({m_in}, x.options());
    }

    torch::Tensor run()
    {
        const std::int64_t tiles = m_x.size(0) * m_rows * m_columns;
        for (std::int64_t first = 0; first < tiles; first += m_block) {
            const std::int64_t count = std::min(m_block, tiles - first);
            parallelFor(count, [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i)
                    readTile(first + i, m_spread.data_ptr<float>() + i * m_step);
            });
            parallelFor(m_out / kPanel, [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t panel = begin; panel < end; panel += kPanels)
                    multiply(first, count, panel, std::min(kPanels, end - panel));
            });
        }
        return m_y;
    }

private:
    struct Place {
        std::int64_t picture, y, x;
    };
    Place placeOf(std::int64_t tile) const
    {
        return {tile / (m_rows * m_columns), tile / m_columns % m_rows * kTile, tile % m_columns * kTile};
    }

    void readTile(std::int64_t tile, float *to) const
    {
        const Place place = placeOf(tile);
        const float *const picture = m_x.data_ptr<float>() + place.picture * m_in * m_x.size(2) * m_x.size(3);
        std::array<const float *, kProducts> pixels;
        for (std::int64_t i = 0; i < kProducts; ++i) {
            const std::int64_t y = place.y + i / kWindow - 1, x = place.x + i % kWindow - 1;
            const bool inside = y >= 0 && y < m_height && x >= 0 && x < m_width;
            pixels[static_cast<std::size_t>(i)] =
                inside ? picture + ((y >> m_shift) * m_x.size(3) + (x >> m_shift)) * m_in : m_zeros.data_ptr<float>();
        }
        kernels::transformInput(pixels.data(), m_in, to, m_plane);
    }

    // Tiles first..first + count of the outputs in `panels` panels from `panel`.
    void multiply(std::int64_t first, std::int64_t count, std::int64_t panel, std::int64_t panels)
    {
        float *const products = m_products.data_ptr<float>() + threadNumber() * m_products.size(1);
        const std::int64_t channels = panels * kPanel;
        for (std::int64_t i = 0; i < kProducts; ++i)
            kernels::multiply(count, m_in, channels, m_spread.data_ptr<float>() + i * m_plane, m_step,
                              m_weight.data_ptr<float>() + (i * m_out + panel * kPanel) * m_in,
                              products + i * m_productPlane, channels);
        const std::int64_t channel = panel * kPanel;
        for (std::int64_t i = 0; i < count; ++i) {
            const Place place = placeOf(first + i);
            const std::int64_t at = ((place.picture * m_height + place.y) * m_width + place.x) * m_out + channel;
            const kernels::TileTarget target{.pixel = m_y.data_ptr<float>() + at,
                                             .plus = m_plus.defined() ? m_plus.data_ptr<float>() + at : nullptr,
                                             .rowStep = m_width * m_out,
                                             .columnStep = m_out,
                                             .rows = std::min(kTile, m_height - place.y),
                                             .columns = std::min(kTile, m_width - place.x)};
            kernels::transformOutput(products + i * channels, m_productPlane, channels,
                                     m_bias.defined() ? m_bias.data_ptr<float>() + channel : nullptr, target);
        }
    }

    const torch::Tensor m_x, m_weight;
    torch::Tensor m_bias, m_plus, m_y;
    const std::int64_t m_shift, m_in, m_out, m_height, m_width;
    const std::int64_t m_rows, m_columns;                      // of tiles in a picture
    std::int64_t m_block = 0;                                  // tiles at a time
    std::int64_t m_step = 0, m_plane = 0, m_productPlane = 0;  // floats between tiles, and between matrices
    torch::Tensor m_spread, m_products, m_zeros;
};

}  // namespace

bool Winograd::fits(std::int64_t out, const torch::Tensor &x, bool doubled)
{
    return kernels::available() && x.is_cpu() && x.scalar_type() == torch::kFloat32 &&
           x.size(1) % kernels::kLanes == 0 && out % kPanel == 0 && std::min(out, x.size(1)) >= kFewestChannels &&
           tilesOf(x, doubled ? 2 : 1) >= kFewestTiles;
}

void Winograd::pack(const torch::Tensor &weight)
{
    const torch::Tensor source = weight.contiguous();
    const std::int64_t out = weight.size(0), in = weight.size(1);
    m_weight = at::empty({kProducts, out / kPanel, in, kPanel}, weight.options());
    const float *const from = source.data_ptr<float>();
    float *const to = m_weight.data_ptr<float>();
    parallelFor(out / kPanel, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t panel = begin; panel < end; ++panel)
            kernels::transformWeight(from + panel * kPanel * in * 9, in, to + panel * in * kPanel, in * out);
    });
}

torch::Tensor Winograd::forward(const torch::Tensor &x, const torch::Tensor &bias, const torch::Tensor &plus,
                                bool doubled) const
{
    return Run(x, m_weight, bias, plus, doubled).run();
}

}  // namespace sg::nn
