#pragma once

#include "core/modelfile/file_identity.h"
#include "core/text/embedding_names.h"
#include "core/text/prompt_chunks.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sg::adapters {

/// A textual inversion embedding that a prompt may name.
struct WantedEmbedding {
    std::string name;
    std::string path;
    bool operator==(const WantedEmbedding &) const = default;
};

/// The embeddings that prompts may name, for the text encoders of one checkpoint.
/// Source  Gal et al. 2022, arXiv:2208.01618.
class EmbeddingSet {
public:
    /// Reads the files that are new or changed. `widths`: of the text encoders' tokens, in their order. Returns what
    /// cannot be used here and why, a sentence each. `changed`, where given, tells whether anything is not as before.
    /// Errors  throws Failure NotFound, UnusableFile, ModelChanged for a file that cannot be read.
    std::vector<std::string> use(const std::vector<WantedEmbedding> &wanted, const std::vector<std::int64_t> &widths,
                                 bool *changed = nullptr);

    /// For chunkPrompt().
    const EmbeddingNames &names() const { return m_names; }
    /// The name that was given to embedding `number` of names().
    const std::string &name(std::size_t number) const { return m_loaded[number].name; }
    /// `embedded` [1, 77, width] of text encoder `encoder` with the vectors of the chunk's embeddings in their rows, as
    /// many of them as there are rows. The tensor itself where the chunk has none.
    torch::Tensor placed(const torch::Tensor &embedded, const PromptChunk &chunk, std::size_t encoder) const;

private:
    struct Loaded {
        std::string name;
        std::vector<torch::Tensor> vectors;  // [count, width] for each text encoder
    };
    std::vector<WantedEmbedding> m_wanted;
    std::vector<std::int64_t> m_widths;
    std::vector<FileIdentity> m_identities;
    std::vector<std::string> m_warnings;
    EmbeddingNames m_names;
    std::vector<Loaded> m_loaded;  // by number
};

}  // namespace sg::adapters
