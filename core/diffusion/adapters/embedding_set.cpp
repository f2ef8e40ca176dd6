#include "core/diffusion/adapters/embedding_set.h"

#include "core/base/error.h"
#include "core/base/or_throw.h"
#include "core/diffusion/adapters/adapter_file.h"
#include "core/modelfile/embedding_picture.h"

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

// The vectors of each text encoder [count, width]. Errors  throws Failure.
std::vector<torch::Tensor> readVectors(const std::string &path)
{
    std::vector<torch::Tensor> found;
    if (carriesEmbedding(std::filesystem::path(path)) || mayHideEmbedding(path)) {
        for (const CarriedVectors &one : orThrow(readEmbeddingPicture(std::filesystem::path(path))))
            found.push_back(torch::tensor(one.values).view({one.count, one.width}));
        return found;
    }
    const AdapterFile file(path);
    for (const std::string &key : vectorKeys(file.index())) {
        torch::Tensor vectors = file.read(key);
        if (vectors.dim() == 1) vectors = vectors.unsqueeze(0);
        if (vectors.dim() != 2 || vectors.numel() == 0)
            throw Failure{{ErrorCode::UnusableFile, key + " is no list of vectors", path}};
        found.push_back(std::move(vectors));
    }
    if (found.size() == 2 && found[0].size(0) != found[1].size(0))
        throw Failure{{ErrorCode::UnusableFile, "clip_l and clip_g have different numbers of vectors", path}};
    file.requireUnchanged();
    return found;
}

}  // namespace

std::vector<std::string> EmbeddingSet::use(const std::vector<WantedEmbedding> &wanted,
                                           const std::vector<std::int64_t> &widths, bool *changed,
                                           const std::stop_token &stop, const LoadWatch &watch)
{
    std::vector<std::optional<FileIdentity>> identities;
    std::uint64_t total = 0, bytes = 0;
    for (const WantedEmbedding &one : wanted) {
        const Expected<FileIdentity> identity = fileIdentity(one.path);
        identities.push_back(identity ? std::optional(*identity) : std::nullopt);
        total += identity ? identity->size : 0;
    }
    const bool same = wanted == m_wanted && widths == m_widths && identities == m_identities;
    if (changed) *changed = !same;
    if (same) return m_warnings;
    EmbeddingSet made;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const WantedEmbedding &one = wanted[i];
        if (stop.stop_requested()) throw Failure{{ErrorCode::Cancelled, "loading was cancelled", one.path}};
        // Of the one before it, of which there may be nothing to take.
        if (watch && i > 0) watch(bytes, total);
        bytes += identities[i] ? identities[i]->size : 0;
        const std::string asText = "embedding " + one.name + " was taken for text: ";
        std::vector<torch::Tensor> vectors;
        try {
            vectors = readVectors(one.path);
        } catch (const Failure &failure) {
            made.m_warnings.push_back(asText + failure.error.message);
            continue;
        }
        std::vector<std::int64_t> held;
        for (const torch::Tensor &of : vectors)
            held.push_back(of.size(1));
        if (held != widths) {
            made.m_warnings.push_back(asText + "its vectors have " + widthsText(held) +
                                      " numbers, the checkpoint's words " + widthsText(widths));
            continue;
        }
        made.m_names.add(one.name, static_cast<std::size_t>(vectors.front().size(0)));
        made.m_loaded.push_back({one, std::move(vectors)});
    }
    if (watch && !wanted.empty()) watch(total, total);
    made.m_wanted = wanted;
    made.m_widths = widths;
    made.m_identities = std::move(identities);
    *this = std::move(made);
    return m_warnings;
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
