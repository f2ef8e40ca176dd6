#include "core/diffusion/adapters/embedding_set.h"

#include "core/base/or_throw.h"
#include "core/diffusion/adapters/adapter_file.h"

#include <algorithm>
#include <utility>

namespace sg::adapters {
namespace {

// The keys of the vectors, for SDXL the first text encoder's and the second's; of other files the only one.
std::vector<std::string> vectorKeys(const TensorIndex &index)
{
    if (index.contains("clip_l") && index.contains("clip_g")) return {"clip_l", "clip_g"};
    if (index.contains("emb_params")) return {"emb_params"};
    if (index.hasPrefix("string_to_param.")) return {index.tensors().lower_bound("string_to_param.")->first};
    if (index.tensors().size() == 1) return {index.tensors().begin()->first};
    throw Failure{{ErrorCode::UnusableFile, "no tensor of it is known to be an embedding's", index.path()}};
}

std::string widthsText(const std::vector<std::int64_t> &widths)
{
    std::string text;
    for (const std::int64_t width : widths)
        text += (text.empty() ? "" : " and ") + std::to_string(width);
    return text;
}

}  // namespace

std::vector<std::string> EmbeddingSet::use(const std::vector<WantedEmbedding> &wanted,
                                           const std::vector<std::int64_t> &widths, bool *changed)
{
    std::vector<FileIdentity> identities;
    for (const WantedEmbedding &one : wanted)
        identities.push_back(orThrow(fileIdentity(one.path)));
    const bool same = wanted == m_wanted && widths == m_widths && identities == m_identities;
    if (changed) *changed = !same;
    if (same) return m_warnings;
    EmbeddingNames names;
    std::vector<Loaded> loaded;
    std::vector<std::string> warnings;
    for (const WantedEmbedding &one : wanted) {
        const AdapterFile file(one.path);
        Loaded made{one.name, {}};
        std::vector<std::int64_t> held;
        for (const std::string &key : vectorKeys(file.index())) {
            torch::Tensor vectors = file.read(key);
            if (vectors.dim() == 1) vectors = vectors.unsqueeze(0);
            if (vectors.dim() != 2 || vectors.numel() == 0)
                throw Failure{{ErrorCode::UnusableFile, key + " is no list of vectors", one.path}};
            held.push_back(vectors.size(1));
            made.vectors.push_back(std::move(vectors));
        }
        if (made.vectors.size() == 2 && made.vectors[0].size(0) != made.vectors[1].size(0))
            throw Failure{{ErrorCode::UnusableFile, "clip_l and clip_g have different numbers of vectors", one.path}};
        file.requireUnchanged();
        if (held != widths) {
            warnings.push_back("embedding " + one.name + " was taken for text: its vectors have " + widthsText(held) +
                               " numbers, the checkpoint's words " + widthsText(widths));
            continue;
        }
        names.add(one.name, static_cast<std::size_t>(made.vectors.front().size(0)));
        loaded.push_back(std::move(made));
    }
    m_wanted = wanted;
    m_widths = widths;
    m_identities = std::move(identities);
    m_warnings = warnings;
    m_names = std::move(names);
    m_loaded = std::move(loaded);
    return warnings;
}

torch::Tensor EmbeddingSet::placed(const torch::Tensor &embedded, const PromptChunk &chunk, std::size_t encoder) const
{
    if (chunk.embeddings.empty()) return embedded;
    torch::Tensor rows = embedded.clone();
    for (const EmbeddingPlace &place : chunk.embeddings) {
        const torch::Tensor &vectors = m_loaded[place.embedding].vectors[encoder];
        const auto row = static_cast<std::int64_t>(place.row);
        const std::int64_t count = std::min(vectors.size(0), rows.size(1) - row);
        if (count > 0) rows.narrow(1, row, count).copy_(vectors.narrow(0, 0, count).unsqueeze(0));
    }
    return rows;
}

}  // namespace sg::adapters
