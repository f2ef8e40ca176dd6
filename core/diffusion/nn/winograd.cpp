#include "core/diffusion/nn/winograd.h"

#include "core/diffusion/nn/parallel.h"
#include "core/diffusion/nn/weight_panels.h"
#include "core/diffusion/nn/weight_product.h"
#include "core/diffusion/nn/winograd_kernels.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <vector>

namespace sg::nn::winograd {
namespace {

using kernels::kDepth;
using kernels::kPanel;
using kernels::kProducts;
using kernels::kRowGroup;
using kernels::kTile;
using kernels::kWindow;

constexpr std::int64_t kTaps = 9;
constexpr std::int64_t kFewestTiles = 4;        // with fewer, transforming the weight takes what is saved
constexpr std::int64_t kFewestChannels = 32;    // with fewer, the transforms take what is saved
constexpr std::int64_t kBlockBytes = 12 << 20;  // of transformed input: what a last cache holds
constexpr std::int64_t kFewestRows = 48;        // of a block: transforming a weight pays for itself
constexpr std::int64_t kPackChannels = 40;      // of a weight that are turned at a time: in the first cache
constexpr std::int64_t kManyRows = 40;          // more products of a block than the second cache holds

std::int64_t roundUp(std::int64_t value, std::int64_t step)
{
    return (value + step - 1) / step * step;
}

// Floats between the products' matrices: their lines must not all fall into one set of the first cache.
std::int64_t planeOf(std::int64_t floats)
{
    return roundUp(floats, 1024) + 16;
}

// One convolution under way.
class Run {
public:
    Run(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias, const torch::Tensor &plus,
        bool doubled, Wrap wrap)
        : m_x(x.contiguous(at::MemoryFormat::ChannelsLast)), m_weight(weight),
          m_number(weight_product::numberOf(weight)), m_shift(doubled ? 1 : 0), m_wrap(wrap), m_in(x.size(1)),
          m_out(weight.size(0)), m_height(x.size(2) << m_shift), m_width(x.size(3) << m_shift),
          m_rows((m_height + kTile - 1) / kTile), m_columns((m_width + kTile - 1) / kTile)
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
        // Few products stay in the second cache beside the weights that they are made with, many do not.
        m_panels = m_block < kManyRows ? 2 : 4;
        m_depth = m_block < kManyRows ? 48 : kDepth;
        m_weightPlane = (m_depth + 1) * kPanel;
        m_productPlane = planeOf(m_block * m_panels * kPanel);
        m_spread = at::empty({kProducts * m_plane}, x.options());
        m_weights = at::empty({threadCount(), m_panels * kProducts * m_weightPlane}, x.options());
        m_products = at::empty({threadCount(), kProducts * m_productPlane}, x.options());
        m_zeros = at::zeros({m_in}, x.options());
        for (std::int64_t i = 0; i < m_block; ++i) {
            m_pieces.push_back(m_spread.data_ptr<float>() + i * m_step);
            m_places.push_back(i * m_panels * kPanel);
        }
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
                for (std::int64_t panel = begin; panel < end; panel += m_panels)
                    multiply(first, count, panel, std::min(m_panels, end - panel));
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
            std::int64_t y = place.y + i / kWindow - 1, x = place.x + i % kWindow - 1;
            if (m_wrap.down) y = wrapped(y, m_height);
            if (m_wrap.across) x = wrapped(x, m_width);
            const bool inside = y >= 0 && y < m_height && x >= 0 && x < m_width;
            pixels[static_cast<std::size_t>(i)] =
                inside ? picture + ((y >> m_shift) * m_x.size(3) + (x >> m_shift)) * m_in : m_zeros.data_ptr<float>();
        }
        kernels::transformInput(pixels.data(), m_in, to, m_plane);
    }

    // `channels` channels from `channel` of a panel of the weight.
    void transformWeight(std::int64_t panel, std::int64_t channel, std::int64_t channels, float *to) const
    {
        std::array<float, static_cast<std::size_t>(kTaps * kPackChannels * kPanel)> packed;
        const auto *const weight = static_cast<const char *>(m_weight.const_data_ptr());
        for (std::int64_t i = 0; i < channels; i += kPackChannels) {
            const std::int64_t now = std::min(kPackChannels, channels - i);
            const std::int64_t first = (panel * kPanel * m_in + channel + i) * kTaps;
            kernels::packPanel(weight + first * kernels::bytesOf(m_number), m_number, m_in * kTaps, now, kTaps,
                               packed.data());
            kernels::transformWeight(packed.data(), now, to + i * kPanel, m_weightPlane);
        }
    }

    // Tiles first..first + count of the outputs in `panels` panels from `panel`.
    void multiply(std::int64_t first, std::int64_t count, std::int64_t panel, std::int64_t panels)
    {
        float *const weights = m_weights.data_ptr<float>() + threadNumber() * m_weights.size(1);
        float *const products = m_products.data_ptr<float>() + threadNumber() * m_products.size(1);
        for (std::int64_t channel = 0; channel < m_in; channel += m_depth) {
            const std::int64_t depth = std::min(m_depth, m_in - channel);
            for (std::int64_t j = 0; j < panels; ++j)
                transformWeight(panel + j, channel, depth, weights + j * kProducts * m_weightPlane);
            for (std::int64_t i = 0; i < kProducts; ++i)
                for (std::int64_t j = 0; j < panels; ++j) {
                    float *const to = products + i * m_productPlane + j * kPanel;
                    kernels::multiply({.rows = count,
                                       .depth = depth,
                                       .pieces = m_pieces.data(),
                                       .offset = i * m_plane + channel,
                                       .panel = weights + (j * kProducts + i) * m_weightPlane,
                                       .places = m_places.data(),
                                       .c = to,
                                       .start = channel > 0 ? to : nullptr});
                }
        }
        writeTiles(first, count, panel * kPanel, panels * kPanel, products);
    }

    void writeTiles(std::int64_t first, std::int64_t count, std::int64_t channel, std::int64_t channels,
                    const float *products)
    {
        for (std::int64_t i = 0; i < count; ++i) {
            const Place place = placeOf(first + i);
            const std::int64_t at = ((place.picture * m_height + place.y) * m_width + place.x) * m_out + channel;
            const kernels::TileTarget target{.pixel = m_y.data_ptr<float>() + at,
                                             .plus = m_plus.defined() ? m_plus.data_ptr<float>() + at : nullptr,
                                             .rowStep = m_width * m_out,
                                             .columnStep = m_out,
                                             .rows = std::min(kTile, m_height - place.y),
                                             .columns = std::min(kTile, m_width - place.x)};
            kernels::transformOutput(products + m_places[static_cast<std::size_t>(i)], m_productPlane, channels,
                                     m_bias.defined() ? m_bias.data_ptr<float>() + channel : nullptr, target);
        }
    }

    const torch::Tensor m_x, m_weight;
    torch::Tensor m_bias, m_plus, m_y;
    const kernels::Number m_number;
    const std::int64_t m_shift;
    const Wrap m_wrap;
    const std::int64_t m_in, m_out, m_height, m_width;
    const std::int64_t m_rows, m_columns;    // of tiles in a picture
    std::int64_t m_block = 0;                // tiles at a time
    std::int64_t m_panels = 0, m_depth = 0;  // of a weight at a time
    std::int64_t m_step = 0, m_plane = 0, m_weightPlane = 0,
                 m_productPlane = 0;  // floats between tiles, and between matrices
    torch::Tensor m_spread, m_weights, m_products, m_zeros;
    std::vector<const float *> m_pieces;  // the block's tiles in m_spread,
    std::vector<std::int64_t> m_places;   // and in a thread's products
};

}  // namespace

bool fits(const torch::Tensor &x, const torch::Tensor &weight, bool doubled)
{
    if (!weight_product::fits(x, weight) || weight.dim() != 4 || weight.size(2) != 3 ||
        std::min(weight.size(0), weight.size(1)) < kFewestChannels)
        return false;
    const auto tiles = [doubled](std::int64_t side) { return ((doubled ? 2 * side : side) + kTile - 1) / kTile; };
    return x.size(0) * tiles(x.size(2)) * tiles(x.size(3)) >= kFewestTiles;
}

torch::Tensor convolve(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias,
                       const torch::Tensor &plus, bool doubled, Wrap wrap)
{
    return Run(x, weight, bias, plus, doubled, wrap).run();
}

}  // namespace sg::nn::winograd
