#pragma once

#include <cstdint>

namespace sg::coding {

/// The smallest side of a tile in which pictures are coded. Units  latent pixels.
inline constexpr std::int64_t kSmallestTile = 16;

}  // namespace sg::coding
