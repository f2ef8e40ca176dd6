#pragma once

#include "core/diffusion/adapters/embedding_set.h"
#include "core/diffusion/pipeline/checkpoint.h"
#include "core/text/prompt.h"
#include "core/text/prompt_chunks.h"
#include "core/text/prompt_schedule.h"

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sg {

/// What a prompt is for the network.
/// Shapes  context [1, 77 * chunks, width]; pooled [1, P], of the first chunk, undefined where the family has none;
///         both float32, on the checkpoint's device.
struct PromptEmbedding {
    torch::Tensor context;
    torch::Tensor pooled;
    bool empty = false;  ///< whether its schedule has no other than empty texts
};

/// How texts are read. A clip skip of more layers than there are takes the first layer's input.
struct TextOptions {
    Emphasis emphasis = Emphasis::Original;
    std::size_t commaBacktrack = 20;
    std::int64_t clipSkip = 1;
    bool operator==(const TextOptions &) const = default;
};

/// The texts of one schedule as the network reads them, each encoded when it is first asked for. As in A1111 all have
/// the chunks of the longest, and emphasis "Original" keeps the mean over all of them, each counted as often as the
/// schedule names it. Uses the checkpoint that it was made with. Thread  the one that uses the checkpoint.
class ScheduledEmbedding {
public:
    /// Errors  throws Failure: those of chunkPrompt.
    ScheduledEmbedding(Checkpoint &checkpoint, const adapters::EmbeddingSet &embeddings, PromptSchedule schedule,
                       const TextOptions &options);

    const PromptSchedule &schedule() const { return m_schedule; }
    const TextOptions &options() const { return m_options; }
    /// Numbers of the textual inversion embeddings that the texts name.
    const std::set<std::size_t> &embeddings() const { return m_named; }
    /// The embedding of schedule().texts[text]. Errors  throws what the network throws.
    const PromptEmbedding &of(std::size_t text);

private:
    /// What the text encoders make of one chunk: columns [1, 77, width] of each.
    struct Chunk {
        std::vector<torch::Tensor> columns;
        torch::Tensor pooled;
    };
    using Chunks = std::vector<Chunk>;  // of one text
    Chunks encode(std::size_t text);
    Chunk encodeChunk(const PromptChunk &chunk);
    void weigh(std::vector<Chunks> &all, std::size_t chunk) const;
    PromptEmbedding joined(const Chunks &chunks) const;
    torch::Tensor weightsOf(const PromptChunk &chunk) const;

    Checkpoint &m_checkpoint;
    const adapters::EmbeddingSet &m_embeddings;
    PromptSchedule m_schedule;
    TextOptions m_options;
    std::vector<std::vector<PromptChunk>> m_chunks;  // of each text
    std::set<std::size_t> m_named;
    std::vector<PromptEmbedding> m_made;  // of each text; undefined: not yet
    bool m_empty = false;                 // whether all texts are empty
    bool m_weighed = false;               // whether any weight differs from 1
};

/// Turns prompts into what the UNet reads, as A1111 does. Remembers the last ones.
/// One belongs to one checkpoint. Thread  the one that uses the checkpoint.
class Conditioner {
public:
    /// A prompt as it stands, for all steps.
    /// Errors  throws Failure: those of chunkPrompt; UnusableFile when a text encoder is not made for CLIP's tokens.
    PromptEmbedding embed(Checkpoint &checkpoint, const std::string &prompt, const TextOptions &options = {});

    /// A schedule, nothing of it encoded before it is asked for. Errors  as embed.
    std::shared_ptr<ScheduledEmbedding> embed(Checkpoint &checkpoint, const PromptSchedule &schedule,
                                              const TextOptions &options);

    /// The textual inversion embeddings that prompts may name. After a change: forget().
    adapters::EmbeddingSet &embeddings() { return m_embeddings; }

    /// Forgets everything: the text encoders' weights or the embeddings have changed.
    void forget() { m_recent.clear(); }

private:
    adapters::EmbeddingSet m_embeddings;
    std::list<std::shared_ptr<ScheduledEmbedding>> m_recent;  // newest first
};

}  // namespace sg
