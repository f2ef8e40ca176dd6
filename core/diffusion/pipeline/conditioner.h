#pragma once

#include "core/diffusion/pipeline/checkpoint.h"

#include <torch/types.h>

#include <cstddef>
#include <list>
#include <string>

namespace sg {

/// What a prompt is for the network.
/// Shapes  context [1, 77 * chunks, width]; pooled [1, P], of the first chunk, undefined where the family has none;
///         both float32, on the checkpoint's device.
struct PromptEmbedding {
    torch::Tensor context;
    torch::Tensor pooled;
};

/// Turns prompts into what the UNet reads, as A1111 does with emphasis "Original". Remembers the last prompts.
/// One belongs to one checkpoint. Thread  the one that uses the checkpoint.
class Conditioner {
public:
    /// Errors  throws Failure: those of chunkPrompt; UnusableFile when a text encoder is not made for CLIP's tokens.
    PromptEmbedding embed(Checkpoint &checkpoint, const std::string &prompt);

private:
    struct Entry {
        std::string prompt;
        PromptEmbedding embedding;
    };
    std::list<Entry> m_recent;  // newest first
};

/// The text encoder's rows times their weights, brought back to the mean that they had before.
/// Shapes  z [1, 77, width]; weights [77].
torch::Tensor applyEmphasis(const torch::Tensor &z, const torch::Tensor &weights);

}  // namespace sg
