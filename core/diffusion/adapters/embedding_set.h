#pragma once

#include "core/diffusion/nn/load_watch.h"
#include "core/modelfile/file_identity.h"
#include "core/text/embedding_names.h"
#include "core/text/prompt_chunks.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::adapters {

/// A textual inversion embedding that a prompt may name.
struct WantedEmbedding {
    std::string name;
    std::string path;
    std::string hash = {};  ///< may be empty; only handed on
    bool operator==(const WantedEmbedding &) const = default;
};

/// The embeddings that prompts may name, for the text encoders of one checkpoint.
/// Source  Gal et al. 2022, arXiv:2208.01618.
class EmbeddingSet {
public:
    /// Reads the files, unless all are as before. `widths`: of the text encoders' tokens, in their order. Returns what
    /// cannot be used or read and why, a sentence each: their names are text then. `changed`, where given, tells
    /// whether anything is not as before. `watch` is told after each file.
    /// Errors  throws Failure Cancelled: all is as before then.
    std::vector<std::string> use(const std::vector<WantedEmbedding> &wanted, const std::vector<std::int64_t> &widths,
                                 bool *changed = nullptr, const std::stop_token &stop = {},
                                 const LoadWatch &watch = {});

    /// For chunkPrompt().
    const EmbeddingNames &names() const { return m_names; }
    /// Embedding `number` of names().
    const WantedEmbedding &embedding(std::size_t number) const { return m_loaded[number].wanted; }
    /// `embedded` [1, 77, width] of text encoder `encoder` with the vectors of the chunk's embeddings in their rows, as
    /// many of them as there are rows. The tensor itself where the chunk has none.
    torch::Tensor placed(const torch::Tensor &embedded, const PromptChunk &chunk, std::size_t encoder) const;

private:
    struct Loaded {
        WantedEmbedding wanted;
        std::vector<torch::Tensor> vectors;  // [count, width] for each text encoder
    };
    std::vector<WantedEmbedding> m_wanted;
    std::vector<std::int64_t> m_widths;
    std::vector<std::optional<FileIdentity>> m_identities;
    std::vector<std::string> m_warnings;
    EmbeddingNames m_names;
    std::vector<Loaded> m_loaded;  // by number
};

}  // namespace sg::adapters
