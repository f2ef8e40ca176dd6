#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstdint>

namespace sg {

/// What one text encoder makes of rows of tokens.
/// Shapes  rows [B, N, width]; pooled [B, its width], undefined where the family has no use for it.
struct EncodedText {
    torch::Tensor rows;
    torch::Tensor pooled;
};

/// One of a checkpoint's text encoders, as the prompt's side sees it. Which layer is read and what becomes of it is
/// the family's affair (model_family.h); here it has been settled.
class TextEncoder {
public:
    struct Traits {
        std::int64_t vocabulary = 0;
        std::int64_t positions = 0;  ///< longest row of tokens
        std::int64_t width = 0;
        std::int64_t padToken = 0;  ///< what fills a row behind its first end mark
    };
    virtual ~TextEncoder() = default;
    virtual const Traits &traits() const = 0;
    /// Shapes  tokens [B, N] int64 -> [B, N, width]. Textual inversion replaces rows of the result.
    virtual torch::Tensor embed(const torch::Tensor &tokens) = 0;
    /// `embedded` is embed(tokens), perhaps with other rows; `clipSkip` counts as in A1111: 1 is the last layer.
    virtual EncodedText encode(const torch::Tensor &tokens, const torch::Tensor &embedded, std::int64_t clipSkip) = 0;
    EncodedText encode(const torch::Tensor &tokens, std::int64_t clipSkip = 1)
    {
        return encode(tokens, embed(tokens), clipSkip);
    }
    /// The network with the names of its keys, for bind() and for what changes weights.
    virtual torch::nn::Module &module() = 0;
};

}  // namespace sg
