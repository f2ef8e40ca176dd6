#include "core/diffusion/nn/weight_product.h"

#include "core/diffusion/nn/parallel.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <vector>

namespace sg::nn::weight_product {
namespace {

using kernels::kDepth;
using kernels::kLanes;
using kernels::kPanel;

constexpr std::int64_t kRowChunk = 1020;  // rows for which a panel is converted: it must pay for itself
constexpr std::int64_t kRowBlock = 120;   // rows whose pieces stay in the second cache
constexpr std::int64_t kPanels = 8;       // panels that are multiplied with such a block, one after the other

/// What is multiplied with a weight, what is added, and where results go.
struct Rows {
    std::vector<const float *> pieces;  ///< [taps, rows]
    std::vector<std::int64_t> places;   ///< [rows]: of the results
    const float *start = nullptr;       ///< added, when there
    float *to = nullptr;
};

class Product {
public:
    Product(const Rows &rows, const torch::Tensor &weight, const torch::Tensor &bias)
        : m_data(rows), m_weight(weight), m_number(numberOf(weight)), m_out(weight.size(0)), m_in(weight.size(1)),
          m_taps(weight.numel() / (m_out * m_in)), m_rows(static_cast<std::int64_t>(rows.places.size()))
    {
        const std::int64_t passes = (m_in * m_taps + kDepth - 1) / kDepth;
        m_channels = ((m_in + passes - 1) / passes + kLanes - 1) / kLanes * kLanes;
        m_panelSize = m_channels * m_taps * kPanel;
        m_buffers = at::empty({threadCount(), kPanels * m_panelSize}, torch::kFloat32);
        if (bias.defined()) m_bias = bias.contiguous();
    }

    void run()
    {
        const std::int64_t panels = m_out / kPanel, forAll = 3 * threadCount() / panels;  // what gives all threads work
        const std::int64_t most = std::max<std::int64_t>(1, m_rows / kRowBlock);
        const std::int64_t chunks = std::clamp<std::int64_t>(std::max(m_rows / kRowChunk, forAll), 1, most);
        const std::int64_t height = (m_rows + chunks - 1) / chunks;
        // Units go by panels within chunks of rows.
        parallelFor(panels * chunks, [&](std::int64_t begin, std::int64_t end) {
            while (begin < end) {
                const std::int64_t chunk = begin / panels, panel = begin % panels;
                const std::int64_t count = std::min({end - begin, panels - panel, kPanels});
                multiply(chunk * height, std::min(m_rows, (chunk + 1) * height), panel, count);
                begin += count;
            }
        });
    }

private:
    void multiply(std::int64_t firstRow, std::int64_t lastRow, std::int64_t panel, std::int64_t count)
    {
        float *const packed = m_buffers.data_ptr<float>() + threadNumber() * m_buffers.size(1);
        // A panel that all rows see at once is used while it is in the first cache.
        const std::int64_t together = lastRow - firstRow <= kRowBlock ? 1 : count;
        for (const std::int64_t last = panel + count; panel < last; panel += together)
            for (std::int64_t channel = 0; channel < m_in; channel += m_channels) {
                const std::int64_t channels = std::min(m_channels, m_in - channel);
                for (std::int64_t i = 0; i < together; ++i)
                    pack(panel + i, channel, channels, packed + i * m_panelSize);
                for (std::int64_t row = firstRow; row < lastRow; row += kRowBlock)
                    for (std::int64_t i = 0; i < together; ++i)
                        multiplyBlock(row, std::min(kRowBlock, lastRow - row), panel + i, channel, channels,
                                      packed + i * m_panelSize);
            }
    }

    void pack(std::int64_t panel, std::int64_t channel, std::int64_t channels, float *to) const
    {
        const auto *const weight = static_cast<const char *>(m_weight.const_data_ptr());
        const std::int64_t first = (panel * kPanel * m_in + channel) * m_taps;
        kernels::packPanel(weight + first * kernels::bytesOf(m_number), m_number, m_in * m_taps, channels, m_taps, to);
    }

    void multiplyBlock(std::int64_t row, std::int64_t rows, std::int64_t panel, std::int64_t channel,
                       std::int64_t channels, const float *packed) const
    {
        const std::int64_t column = panel * kPanel;
        const float *const start = channel > 0 ? m_data.to : m_data.start;
        kernels::multiply({.rows = rows,
                           .taps = m_taps,
                           .depth = channels,
                           .pieces = m_data.pieces.data() + row,
                           .tapStep = m_rows,
                           .offset = channel,
                           .panel = packed,
                           .places = m_data.places.data() + row,
                           .c = m_data.to + column,
                           .start = start ? start + column : nullptr,
                           .bias = m_bias.defined() && channel == 0 ? m_bias.data_ptr<float>() + column : nullptr});
    }

    const Rows &m_data;
    const torch::Tensor &m_weight;
    torch::Tensor m_bias;
    const kernels::Number m_number;
    const std::int64_t m_out, m_in, m_taps, m_rows;
    std::int64_t m_channels = 0, m_panelSize = 0;  // of one pass
    torch::Tensor m_buffers;                       // of each thread
};

// to = start + x * weight + bias, of tensors that are contiguous.
void multiplyRows(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias, const float *start,
                  torch::Tensor &to)
{
    Rows rows{.pieces = {}, .places = {}, .start = start, .to = to.data_ptr<float>()};
    const std::int64_t out = weight.size(0), in = weight.size(1), count = x.numel() / in;
    if (count == 0) return;
    for (std::int64_t row = 0; row < count; ++row) {
        rows.pieces.push_back(x.data_ptr<float>() + row * in);
        rows.places.push_back(row * out);
    }
    Product(rows, weight, bias).run();
}

}  // namespace

kernels::Number numberOf(const torch::Tensor &weight)
{
    switch (weight.scalar_type()) {
    case torch::kFloat16:
        return kernels::Number::Half;
    case torch::kBFloat16:
        return kernels::Number::Brain;
    default:
        return kernels::Number::Float;
    }
}

bool fits(const torch::Tensor &x, const torch::Tensor &weight)
{
    const torch::ScalarType type = weight.scalar_type();
    return kernels::available() && x.is_cpu() && weight.is_cpu() && x.scalar_type() == torch::kFloat32 &&
           (type == torch::kFloat32 || type == torch::kFloat16 || type == torch::kBFloat16) &&
           (weight.dim() == 2 ||
            (weight.dim() == 4 && weight.size(2) == weight.size(3) && (weight.size(2) == 1 || weight.size(2) == 3))) &&
           weight.is_contiguous() && weight.size(0) % kPanel == 0 && weight.size(1) % kLanes == 0;
}

torch::Tensor linear(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias)
{
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = weight.size(0);
    torch::Tensor y = at::empty(shape, torch::kFloat32);
    multiplyRows(x.contiguous(), weight, bias, nullptr, y);
    return y;
}

void addLinear(torch::Tensor &sum, const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias)
{
    if (sum.is_contiguous())
        multiplyRows(x.contiguous(), weight, bias, sum.data_ptr<float>(), sum);
    else
        sum.add_(linear(x, weight, bias));
}

torch::Tensor convolve(const torch::Tensor &x, const torch::Tensor &weight, const torch::Tensor &bias,
                       const torch::Tensor &plus, std::int64_t stride, std::int64_t padding, Wrap wrap)
{
    const torch::Tensor source = x.contiguous(at::MemoryFormat::ChannelsLast), zeros = at::zeros({x.size(1)});
    const std::int64_t kernel = weight.size(2), in = x.size(1), out = weight.size(0);
    const std::int64_t height = (x.size(2) + 2 * padding - kernel) / stride + 1;
    const std::int64_t width = (x.size(3) + 2 * padding - kernel) / stride + 1;
    torch::Tensor y = at::empty({x.size(0), out, height, width}, x.options(), at::MemoryFormat::ChannelsLast);
    Rows rows{.pieces = {}, .places = {}, .start = nullptr, .to = y.data_ptr<float>()};
    const torch::Tensor added = plus.defined() ? plus.contiguous(at::MemoryFormat::ChannelsLast) : plus;
    if (added.defined()) rows.start = added.data_ptr<float>();
    for (std::int64_t tap = 0; tap < kernel * kernel; ++tap)
        for (std::int64_t i = 0; i < x.size(0) * height * width; ++i) {
            std::int64_t row = i / width % height * stride - padding + tap / kernel;
            std::int64_t column = i % width * stride - padding + tap % kernel;
            if (wrap.down) row = wrapped(row, x.size(2));
            if (wrap.across) column = wrapped(column, x.size(3));
            const bool inside = row >= 0 && row < x.size(2) && column >= 0 && column < x.size(3);
            const std::int64_t pixel = (i / (width * height) * x.size(2) + row) * x.size(3) + column;
            rows.pieces.push_back(inside ? source.data_ptr<float>() + pixel * in : zeros.data_ptr<float>());
        }
    for (std::int64_t i = 0; i < x.size(0) * height * width; ++i)
        rows.places.push_back(i * out);
    Product(rows, weight, bias).run();
    return y;
}

}  // namespace sg::nn::weight_product
