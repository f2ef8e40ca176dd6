#include "core/diffusion/vae/fitting.h"

#include "core/base/available_memory.h"
#include "core/base/error.h"
#include "core/diffusion/nn/norm_scope.h"
#include "core/diffusion/nn/out_of_memory.h"
#include "core/diffusion/nn/wrap.h"
#include "core/diffusion/vae/vae_config.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

namespace sg::coding {
namespace {

constexpr double kUsable = 0.85;           // of what is free: others live here too
constexpr std::int64_t kTileStep = 8;      // between the sides that are tried
constexpr std::int64_t kLeastOverlap = 4;  // latent pixels
constexpr int kRetries = 2;

const Options kDefaults;
thread_local const Options *t_options = nullptr;

std::uint64_t roomOn(const torch::Device &device, const Options &options)
{
    return options.room ? options.room() : usableOf(freeOn(device));
}

void giveBackMemory(const torch::Device &device)
{
    if (!device.is_cpu()) at::accelerator::emptyCache();
    malloc_trim(0);
}

std::string gigabytes(std::uint64_t bytes)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
    return text;
}

void requireNotStopped(const std::stop_token &stop)
{
    if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "the task was cancelled", {}}};
}

std::int64_t overlapOf(std::int64_t side)
{
    return std::max(kLeastOverlap, side / 4);
}

/// Where tiles of `side` begin, evenly spread.
std::vector<std::int64_t> startsOf(std::int64_t length, std::int64_t side)
{
    if (side >= length) return {0};
    const std::int64_t overlap = std::min(overlapOf(side), side - 1), step = side - overlap;
    const std::int64_t last = (length - overlap + step - 1) / step - 1;
    std::vector<std::int64_t> starts;
    for (std::int64_t i = 0; i <= last; ++i)
        starts.push_back((i * (length - side) + last / 2) / last);
    return starts;
}

/// Where the places -count … size + count lie on a circle.
torch::Tensor circle(std::int64_t size, std::int64_t count, const torch::Device &device)
{
    return at::remainder(at::arange(-count, size + count, at::device(device).dtype(at::kLong)), size);
}

/// x with `count` pixels of its other side around it where `wrap` says so.
torch::Tensor surrounded(torch::Tensor x, std::int64_t count, nn::Wrap wrap)
{
    for (const auto &[dimension, wraps] : {std::pair(-2, wrap.down), std::pair(-1, wrap.across)})
        if (wraps) x = at::index_select(x, dimension, circle(x.size(dimension), count, x.device()));
    return x;
}

/// The way back, for sums: what lies around x is added to the other side.
torch::Tensor folded(torch::Tensor x, std::int64_t count, nn::Wrap wrap)
{
    for (const auto &[dimension, wraps] : {std::pair(-2, wrap.down), std::pair(-1, wrap.across)}) {
        if (!wraps) continue;
        const std::int64_t size = x.size(dimension) - 2 * count;
        x = at::zeros_like(x.narrow(dimension, 0, size)).index_add_(dimension, circle(size, count, x.device()), x);
    }
    return x;
}

/// One axis of a tile: where it lies, how long it is, and how far it gives way to its neighbours.
struct Span {
    std::int64_t start, length, fade;
    bool first, last;  // at the picture's edge

    torch::Tensor weights(const torch::Device &device) const
    {
        torch::Tensor made = at::ones({length}, at::device(device));
        const torch::Tensor rise = (at::arange(std::min(fade, length), made.options()) + 0.5) / fade;
        const std::int64_t count = rise.size(0);
        if (!first) made.narrow(0, 0, count).mul_(rise);
        if (!last) made.narrow(0, length - count, count).mul_(rise.flip(0));
        return made;
    }
};

/// Tiles, weighted and summed.
class Canvas {
public:
    Canvas(std::int64_t height, std::int64_t width) : m_height(height), m_width(width) {}

    void add(const torch::Tensor &tile, const Span &rows, const Span &columns)
    {
        if (!m_sum.defined()) {
            const auto options = at::device(tile.device()).dtype(at::kFloat);
            m_sum = at::zeros({tile.size(0), tile.size(1), m_height, m_width}, options);
            m_weight = at::zeros({m_height, m_width}, options);
        }
        const torch::Tensor weight = rows.weights(tile.device()).unsqueeze(1) * columns.weights(tile.device());
        const auto part = [&](const torch::Tensor &of) {
            return of.narrow(-2, rows.start, rows.length).narrow(-1, columns.start, columns.length);
        };
        part(m_sum).add_(tile.to(at::kFloat) * weight);
        part(m_weight).add_(weight);
        m_bottom = std::max(m_bottom, rows.start + rows.length);
        m_right = std::max(m_right, columns.start + columns.length);
    }
    /// Without the `around` pixels that were laid around where the picture wraps.
    torch::Tensor made(std::int64_t around, nn::Wrap wrap) const
    {
        const auto whole = [&](const torch::Tensor &of) {
            return folded(of.narrow(-2, 0, m_bottom).narrow(-1, 0, m_right), around, wrap);
        };
        return whole(m_sum).div_(whole(m_weight));
    }

private:
    std::int64_t m_height, m_width, m_bottom = 0, m_right = 0;
    torch::Tensor m_sum, m_weight;
};

/// What the norms see of the whole x, in a copy of it that is as large as one tile.
template <class Code>
nn::NormRecord normsOf(const torch::Tensor &x, std::int64_t side, std::int64_t read, const Code &code)
{
    const auto smaller = [&](std::int64_t size) {
        const std::int64_t longest = std::max(x.size(2), x.size(3)) / read;
        return std::max<std::int64_t>(1, size / read * side / std::max(side, longest)) * read;
    };
    nn::NormRecord norms;
    const nn::NormScope scope(&norms);
    (void)code(at::_upsample_nearest_exact2d(x, {smaller(x.size(2)), smaller(x.size(3))}));
    norms.recording = false;
    return norms;
}

/// x in tiles of `side`; `read` pixels of it for each unit of `side`, and `written` of the result.
template <class Code>
torch::Tensor inTiles(torch::Tensor x, std::int64_t side, std::int64_t read, std::int64_t written,
                      const std::stop_token &stop, const Code &code)
{
    const nn::Wrap wrap = nn::currentWrap();
    const std::int64_t overlap = overlapOf(side);
    nn::NormRecord norms = normsOf(x, side, read, code);
    const nn::NormScope asTheWhole(norms.empty() ? nullptr : &norms);
    x = surrounded(x, overlap * read, wrap);
    const nn::WrapScope plain({});
    const std::int64_t height = x.size(2), width = x.size(3);
    const std::vector<std::int64_t> rows = startsOf(height / read, side), columns = startsOf(width / read, side);
    const auto roomFor = [&](std::int64_t length) { return (length + read - 1) / read * written; };
    Canvas canvas(roomFor(height), roomFor(width));
    for (const std::int64_t row : rows)
        for (const std::int64_t column : columns) {
            requireNotStopped(stop);
            // The last tile takes what is left of pixels that make no whole latent pixel.
            const std::int64_t tall = row == rows.back() ? height - row * read : side * read;
            const std::int64_t wide = column == columns.back() ? width - column * read : side * read;
            const torch::Tensor tile = code(x.narrow(2, row * read, tall).narrow(3, column * read, wide));
            const std::int64_t fade = overlap * written;
            canvas.add(tile,
                       {row * written, tile.size(2), fade, row == rows.front() && !wrap.down,
                        row == rows.back() && !wrap.down},
                       {column * written, tile.size(3), fade, column == columns.front() && !wrap.across,
                        column == columns.back() && !wrap.across});
        }
    return canvas.made(overlap * written, wrap);
}

/// Coding of one tensor. Units  latent pixels.
struct Job {
    const char *what;
    std::int64_t height, width, factor;
    torch::Device device;
    std::function<std::uint64_t(std::int64_t, std::int64_t)> bytes;
    std::function<torch::Tensor()> whole;
    std::function<torch::Tensor(std::int64_t)> tiled;

    std::int64_t longest() const { return std::max(height, width); }
    std::string need() const
    {
        return "as a whole, " + std::to_string(width * factor) + " x " + std::to_string(height * factor) +
               " pixels take about " + gigabytes(bytes(height, width) + kCodingOverhead);
    }
};

std::string sideText(const Job &job, std::int64_t side)
{
    return "tiles of " + std::to_string(side * job.factor) + " x " + std::to_string(side * job.factor) + " pixels";
}

/// Nothing when memory ran out. The exception must be gone before anything is tried again: it holds tensors.
std::optional<torch::Tensor> attempt(const Job &job, std::int64_t side)
{
    try {
        return side > 0 ? job.tiled(side) : job.whole();
    } catch (const std::exception &problem) {
        if (!nn::isOutOfMemory(problem)) throw;
    }
    return std::nullopt;
}

torch::Tensor run(const Job &job)
{
    const Options &options = currentOptions();
    if (options.begins) options.begins();
    std::uint64_t room = 0;
    std::int64_t side = 0;
    const std::int64_t most = std::max(options.tileSide, kSmallestTile);
    if (options.tiling == Tiling::On && job.longest() > most) side = most;
    const std::int64_t asked = side > 0 ? side : job.longest();
    if (options.tiling == Tiling::Auto) {
        room = roomOn(job.device, options);
        side = std::min(tileSideFor(job.bytes, job.height, job.width, room), most);
        if (options.taskSide > 0 && job.longest() > options.taskSide)
            side = side > 0 ? std::min(side, options.taskSide) : options.taskSide;
    }
    for (int tried = 0;; ++tried) {
        if (std::optional<torch::Tensor> made = attempt(job, side)) {
            if (side > 0 && side < asked && options.tiled)
                options.tiled(std::string(job.what) + " was done in " + sideText(job, side) + ": " + job.need() +
                                  (room > 0 ? ", and " + gigabytes(room) + " can be used" : ""),
                              side);
            return *made;
        }
        giveBackMemory(job.device);
        // A whole number of steps, so that the infotext can ask for the same tiles.
        const std::int64_t half = (side > 0 ? side : job.longest()) / 2 / kTileStep * kTileStep;
        const std::int64_t next = std::max(half, kSmallestTile);
        if (options.tiling == Tiling::Off || tried == kRetries || next >= (side > 0 ? side : job.longest()))
            throw Failure{{ErrorCode::OutOfMemory,
                           std::string("there was not enough memory for ") + job.what + ": " + job.need() +
                               (side > 0 ? ", and even in " + sideText(job, side) + " it did not fit" : ""),
                           {}}};
        side = next;
    }
}

}  // namespace

Scope::Scope(Options options) : m_options(std::move(options)), m_before(std::exchange(t_options, &m_options)) {}

Scope::~Scope()
{
    t_options = m_before;
}

const Options &currentOptions()
{
    return t_options ? *t_options : kDefaults;
}

std::uint64_t freeOn(const torch::Device &device)
{
    if (device.is_cpu()) return availableMemory();
    const auto index = device.has_index() ? device.index() : at::accelerator::getDeviceIndex();
    const auto stats = at::accelerator::getDeviceStats(index);
    constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    return at::accelerator::getMemoryInfo(index).first +
           static_cast<std::uint64_t>(stats.reserved_bytes[kAll].current - stats.allocated_bytes[kAll].current);
}

std::uint64_t usableOf(std::uint64_t free)
{
    const auto usable = static_cast<std::uint64_t>(kUsable * static_cast<double>(free));
    return usable - std::min(usable, kCodingOverhead);
}

std::int64_t tileSideFor(const std::function<std::uint64_t(std::int64_t, std::int64_t)> &bytes, std::int64_t height,
                         std::int64_t width, std::uint64_t room)
{
    if (bytes(height, width) <= room) return 0;
    const std::int64_t longest = std::max(height, width);
    for (std::int64_t side = (longest - 1) / kTileStep * kTileStep; side > kSmallestTile; side -= kTileStep)
        if (bytes(std::min(side, height), std::min(side, width)) <= room) return side;
    return longest > kSmallestTile ? kSmallestTile : 0;
}

std::int64_t taskSideFor(const Autoencoder &vae, const Options &options, const torch::Device &device,
                         std::int64_t height, std::int64_t width, bool encodes)
{
    if (options.tiling != Tiling::Auto) return 0;
    const auto bytes = [&](std::int64_t rows, std::int64_t columns) {
        return std::max(vae.decodeBytes(rows, columns), encodes ? vae.encodeBytes(rows, columns) : 0);
    };
    return std::min(tileSideFor(bytes, height, width, roomOn(device, options)),
                    std::max(options.tileSide, kSmallestTile));
}

torch::Tensor decodeTiled(Autoencoder &vae, const torch::Tensor &latent, std::int64_t side, const std::stop_token &stop)
{
    return inTiles(latent, side, 1, vae.factor(), stop, [&](const torch::Tensor &tile) { return vae.decode(tile); });
}

torch::Tensor encodeTiled(Autoencoder &vae, const torch::Tensor &picture, std::int64_t side,
                          const std::stop_token &stop)
{
    return inTiles(picture, side, vae.factor(), 1, stop, [&](const torch::Tensor &tile) { return vae.encode(tile); });
}

torch::Tensor decode(Autoencoder &vae, const torch::Tensor &latent)
{
    const std::stop_token stop = currentOptions().stop;
    return run({"decoding", latent.size(2), latent.size(3), vae.factor(), latent.device(),
                [&](std::int64_t height, std::int64_t width) { return vae.decodeBytes(height, width); },
                [&] { return vae.decode(latent); },
                [&](std::int64_t side) { return decodeTiled(vae, latent, side, stop); }});
}

torch::Tensor encode(Autoencoder &vae, const torch::Tensor &picture)
{
    const std::stop_token stop = currentOptions().stop;
    return run({"encoding", picture.size(2) / vae.factor(), picture.size(3) / vae.factor(), vae.factor(),
                picture.device(),
                [&](std::int64_t height, std::int64_t width) { return vae.encodeBytes(height, width); },
                [&] { return vae.encode(picture); },
                [&](std::int64_t side) { return encodeTiled(vae, picture, side, stop); }});
}

}  // namespace sg::coding
