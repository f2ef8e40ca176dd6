#pragma once

#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg {

/// Buffers of the convolutions' own, all threads together.
inline constexpr std::uint64_t kCodingOverhead = 128u << 20;

/// An autoencoder as its tensors describe it, and what they do not say.
struct VaeConfig {
    struct Level {
        std::int64_t channels = 0;
        std::int64_t blocks = 0;
    };
    std::int64_t pictureChannels = 3;
    std::int64_t latentChannels = 4;  ///< what samplers see
    std::int64_t innerChannels = 4;   ///< between the two 1x1 convolutions and the networks
    std::int64_t encoderWidth = 0;    ///< channels after the encoder's first convolution
    std::int64_t middleChannels = 0;
    std::vector<Level> encoder;  ///< from the picture's size down
    std::vector<Level> decoder;  ///< numbered as in the file: 0 has the picture's size and comes last
    // Not in shapes.
    std::int64_t normGroups = 32;
    double latentScale = 0.18215;

    /// Pixels per latent pixel, in each direction.
    std::int64_t factor() const { return std::int64_t{1} << (decoder.size() - 1); }

    /// What coding one picture takes at its peak beside weights, in tensors between input and output: from shapes
    /// alone. Convolving takes some more, which does not grow with the picture (kCodingOverhead).
    /// Units  latent pixels; numberBytes: of one number, 4 for float32.
    std::uint64_t decodeBytes(std::int64_t height, std::int64_t width, int numberBytes = 4) const;
    std::uint64_t encodeBytes(std::int64_t height, std::int64_t width, int numberBytes = 4) const;

    /// From the tensors under `prefix` and the metadata `serigraph.vae.norm_groups`, `serigraph.latent.scale`; without
    /// the latter the scale is the family's, `latentScale`.
    /// Errors  throws Failure UnusableFile.
    static VaeConfig detect(const TensorIndex &index, const std::string &prefix, double latentScale = 0.18215);
};

/// Where the keys of the autoencoder of a file of its own begin. Errors  throws Failure UnusableFile where there is
/// none.
std::string vaePrefixIn(const TensorIndex &index);

}  // namespace sg
