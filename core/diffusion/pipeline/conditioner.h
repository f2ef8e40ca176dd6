#pragma once

#include "core/diffusion/pipeline/checkpoint.h"

#include <torch/types.h>

#include <cstddef>
#include <list>
#include <string>

namespace sg {

/// Turns prompts into what the UNet reads, as A1111 does with emphasis "Original". Remembers the last prompts.
/// One belongs to one checkpoint. Thread  the one that uses the checkpoint.
class Conditioner {
public:
    /// Shapes  [1, 77 * chunks, width], float32, on the checkpoint's device.
    /// Errors  throws Failure: those of chunkPrompt; UnusableFile when the text encoder is not made for CLIP's tokens.
    torch::Tensor embed(Checkpoint &checkpoint, const std::string &prompt);

    /// The text encoder's weights have changed.
    void forget() { m_recent.clear(); }

private:
    struct Entry {
        std::string prompt;
        torch::Tensor embedding;
    };
    std::list<Entry> m_recent;  // newest first
};

/// The text encoder's rows times their weights, brought back to the mean that they had before.
/// Shapes  z [1, 77, width]; weights [77].
torch::Tensor applyEmphasis(const torch::Tensor &z, const torch::Tensor &weights);

}  // namespace sg
