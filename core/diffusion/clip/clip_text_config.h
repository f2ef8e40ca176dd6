#pragma once

#include "core/modelfile/tensor_index.h"

#include <cstdint>
#include <string>

namespace sg {

/// Two spellings of the same network: Hugging Face's CLIPTextModel, and OpenCLIP's with q, k and v in one matrix.
enum class ClipLayout { HuggingFace, OpenClip };

/// What a CLIP text encoder's tensors say about it, and its heads, which they do not.
struct ClipTextConfig {
    ClipLayout layout = ClipLayout::HuggingFace;
    std::int64_t vocabulary = 0;
    std::int64_t positions = 0;  ///< longest row of tokens: 77
    std::int64_t width = 0;
    std::int64_t mlpWidth = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::int64_t projection = 0;  ///< width of text_projection's result; 0: there is none

    /// Of OpenAI's networks (whose files have Hugging Face's layout) or of OpenCLIP's.
    bool quickGelu() const { return layout == ClipLayout::HuggingFace; }

    /// From the tensors under `prefix`; heads from the metadata `headsKey`, else width / 64.
    /// Errors  throws Failure UnusableFile.
    static ClipTextConfig detect(const TensorIndex &index, const std::string &prefix,
                                 const std::string &headsKey = "serigraph.text.heads");
};

/// How a family reads its CLIP.
struct ClipReading {
    std::int64_t skip = 1;       ///< 1: the last layer's output, 2: the one before it …
    bool finalNorm = true;       ///< whether the final layer norm is applied to it
    bool pooled = false;         ///< whether the pooled vector is wanted
    bool takesClipSkip = false;  ///< whether the user's clip skip takes the place of `skip`
    std::int64_t padToken = 0;
    bool operator==(const ClipReading &) const = default;
};

}  // namespace sg
