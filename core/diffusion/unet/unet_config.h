#pragma once

#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// A UNet as its tensors describe it, block by block in torch's order, and what they do not say.
struct UNetConfig {
    /// One of input_blocks (from 1 on) or output_blocks.
    struct Block {
        std::int64_t channels = 0;  ///< after it
        std::int64_t depth = 0;     ///< transformer blocks; 0: no attention
        bool resample = false;      ///< input: it only halves the picture; output: it ends with a doubling
    };
    std::int64_t inChannels = 4;  ///< 8: edit, 9: inpaint
    std::int64_t outChannels = 4;
    std::int64_t width = 0;  ///< channels of the first level
    std::int64_t timeChannels = 0;
    std::int64_t contextDim = 0;    ///< width of the conditioning: 768, 1024, 2048
    std::int64_t vectorDim = 0;     ///< of the vector conditioning (SDXL); 0: none
    bool linearProjection = false;  ///< transformers are entered by a matrix instead of a 1x1 convolution
    std::vector<Block> inputs;
    std::int64_t middleDepth = 0;
    std::vector<Block> outputs;
    // Not in shapes.
    std::int64_t heads = 0;  ///< 0: channels / headDim
    std::int64_t headDim = 64;
    std::int64_t normGroups = 32;

    /// From the tensors under `prefix` and the metadata `serigraph.unet.heads` or `serigraph.unet.head_dim`,
    /// `serigraph.unet.norm_groups`.
    /// Errors  throws Failure UnusableFile.
    static UNetConfig detect(const TensorIndex &index, const std::string &prefix);
    /// What one call takes at its peak beside weights: from shapes alone, in tensors between input and output.
    /// Units  h and w in latent pixels; numberBytes: of one number, 4 for float32.
    std::uint64_t forwardBytes(std::int64_t rows, std::int64_t height, std::int64_t width, int numberBytes = 4) const;
    /// Errors  throws Failure UnusableFile naming `what` when a level's channels cannot be divided into its heads.
    void checkHeads(std::string_view what) const;
};

}  // namespace sg
