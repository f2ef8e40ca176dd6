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

}  // namespace sg
