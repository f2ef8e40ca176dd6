#pragma once

#include "core/diffusion/vae/autoencoder.h"
#include "core/diffusion/vae/tile_size.h"

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>

/// Coding pictures in the memory there is: whole, or in overlapping tiles that are blended.
namespace sg::coding {

enum class Tiling {
    Auto,  ///< when the whole would not fit, or has just not fitted
    On,    ///< whatever is larger than one tile
    Off,
};

/// Of a running task. Units  tileSide: latent pixels.
struct Options {
    Tiling tiling = Tiling::Auto;
    std::int64_t tileSide = 64;                ///< the largest
    std::int64_t taskSide = 0;                 ///< Auto: of the tiles of whatever is larger; 0: as each needs
    std::function<std::uint64_t()> room = {};  ///< bytes that may be used; otherwise what the device has free
    std::function<void()> begins = {};         ///< told before room is asked
    /// Told, in English, when tiles were used unasked.
    std::function<void(const std::string &why, std::int64_t side)> tiled = {};
    std::stop_token stop = {};  ///< asked before each tile
};

/// The task's options, until the scope ends (docs/decisions/scopes-of-a-task.md). Without one: Options{}.
/// Thread  the one that computes.
class Scope {
public:
    explicit Scope(Options options);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

private:
    Options m_options;
    const Options *m_before;
};

/// Those of the innermost scope.
const Options &currentOptions();

/// Shapes  as Autoencoder, a batch of one. Tiles are made smaller twice when memory runs out all the same.
/// Errors  throws Failure OutOfMemory when that was not enough, with the numbers; Cancelled.
torch::Tensor decode(Autoencoder &vae, const torch::Tensor &latent);
torch::Tensor encode(Autoencoder &vae, const torch::Tensor &picture);

/// The taskSide of a task that decodes, and perhaps encodes, pictures of at most this size: one for all, so that its
/// infotext can ask for the same tiles. Units  latent pixels.
std::int64_t taskSideFor(const Autoencoder &vae, const Options &options, const torch::Device &device,
                         std::int64_t height, std::int64_t width, bool encodes);

/// In tiles of `side` latent pixels, or less; they overlap by a quarter, in which each gives way to the next evenly.
/// Where convolutions wrap, tiles see the opposite edge.
torch::Tensor decodeTiled(Autoencoder &vae, const torch::Tensor &latent, std::int64_t side,
                          const std::stop_token &stop = {});
torch::Tensor encodeTiled(Autoencoder &vae, const torch::Tensor &picture, std::int64_t side,
                          const std::stop_token &stop = {});

/// Bytes that tensors could have on a device now: what the system or the driver has free, and what torch's allocator
/// holds unused.
std::uint64_t freeOn(const torch::Device &device);
/// Of so many free bytes those that coding may use: others live here too.
std::uint64_t usableOf(std::uint64_t free);

/// The side of the tiles that take at most `room` bytes; 0: all in one. Never less than kSmallestTile.
/// `bytes`: what coding so many rows and columns takes. Units  latent pixels.
std::int64_t tileSideFor(const std::function<std::uint64_t(std::int64_t, std::int64_t)> &bytes, std::int64_t height,
                         std::int64_t width, std::uint64_t room);

}  // namespace sg::coding
