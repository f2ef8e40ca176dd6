#pragma once

#include "core/base/expected.h"
#include "core/text/embedding_names.h"
#include "core/text/prompt.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sg {

inline constexpr std::size_t kChunkTokens = 75;  ///< of the prompt
inline constexpr std::size_t kChunkLength = 77;  ///< with start and end mark
inline constexpr std::int64_t kMaxPromptTokens = 10'000;

/// Rows of a chunk whose token's vectors an embedding replaces, as far as the chunk reaches.
struct EmbeddingPlace {
    std::size_t row = 0;        ///< the first; 0 is the start mark
    std::size_t embedding = 0;  ///< its number in EmbeddingNames
    bool operator==(const EmbeddingPlace &) const = default;
};

/// What the text encoder takes at once: start mark, 75 tokens padded with the end mark, end mark; and the weight of
/// each.
struct PromptChunk {
    std::array<std::int32_t, kChunkLength> tokens;
    std::array<float, kChunkLength> weights;
    std::vector<EmbeddingPlace> embeddings;

    /// A chunk of padding: what a shorter prompt of a batch is filled up with.
    PromptChunk();
    bool operator==(const PromptChunk &) const = default;
};

struct PromptChunks {
    std::vector<PromptChunk> chunks;  ///< never empty
    std::int64_t tokenCount = 0;  ///< 75 for each chunk that was closed, and those of the last: what the counter shows
};

struct ChunkOptions {
    Emphasis emphasis = Emphasis::Original;
    std::size_t commaBacktrack = 20;
    const EmbeddingNames *embeddings = nullptr;  ///< those that the prompt may name
};

/// Cuts a prompt into chunks. A chunk that is full closes before the next token; when a comma lies among its last
/// `commaBacktrack`, what follows the comma moves on to the next chunk (but for the places of embeddings, as in A1111).
/// An embedding that does not fit closes its chunk. BREAK closes a chunk early. Errors  those of
/// parsePrompt; TooLarge over 10,000 tokens. Subject "prompt". Source  AUTOMATIC1111 webui 1.10.1, behaviour of its
/// text conditioning (fidelity facts in docs/decisions/tokenizer.md).
Expected<PromptChunks> chunkPrompt(std::string_view prompt, const ChunkOptions &options = {});

/// The number for a token counter: of the longest text that a prompt with schedules and AND goes through, without its
/// comments and tags. Variants are counted as the seed 0 takes them, wildcards as the text that they are.
/// Errors  as planPrompt, resolvePrompt and chunkPrompt.
Expected<std::int64_t> countTokens(std::string_view prompt, const EmbeddingNames *embeddings = nullptr);

}  // namespace sg
