#include "core/diffusion/pipeline/conditioner.h"

#include "core/text/prompt_chunks.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace sg {
namespace {

constexpr std::size_t kRemembered = 8;
constexpr std::int64_t kClipVocabulary = 49408;

void requireClipTokens(const Checkpoint &checkpoint)
{
    for (const auto &encoder : checkpoint.texts) {
        const TextEncoder::Traits &text = encoder->traits();
        if (text.vocabulary >= kClipVocabulary && text.positions >= static_cast<std::int64_t>(kChunkLength)) continue;
        throw Failure{{ErrorCode::UnusableFile,
                       "the text encoder has " + std::to_string(text.vocabulary) + " tokens and " +
                           std::to_string(text.positions) + " positions; CLIP's prompts need 49408 and 77",
                       {}}};
    }
}

// The chunk's tokens as this encoder wants its rows filled up.
std::vector<std::int64_t> tokensFor(const TextEncoder &encoder, const PromptChunk &chunk)
{
    std::vector<std::int64_t> ids(chunk.tokens.begin(), chunk.tokens.end());
    const auto end = std::find(ids.begin(), ids.end(), kClipVocabulary - 1);
    if (end != ids.end()) std::fill(end + 1, ids.end(), encoder.traits().padToken);
    return ids;
}

PromptEmbedding encodeChunk(Checkpoint &checkpoint, const PromptChunk &chunk)
{
    const bool plain =
        std::all_of(chunk.weights.begin(), chunk.weights.end(), [](float weight) { return weight == 1; });
    const std::vector<float> weights(chunk.weights.begin(), chunk.weights.end());
    std::vector<torch::Tensor> columns;
    PromptEmbedding made;
    for (const auto &encoder : checkpoint.texts) {
        const torch::Tensor tokens =
            torch::tensor(tokensFor(*encoder, chunk), torch::kLong).unsqueeze(0).to(checkpoint.device);
        const EncodedText text = encoder->encode(tokens);
        const torch::Tensor z = text.rows.to(torch::kFloat);
        columns.push_back(plain ? z : applyEmphasis(z, torch::tensor(weights, torch::kFloat).to(checkpoint.device)));
        if (text.pooled.defined()) made.pooled = text.pooled.to(torch::kFloat);
    }
    made.context = torch::cat(columns, 2);
    return made;
}

}  // namespace

torch::Tensor applyEmphasis(const torch::Tensor &z, const torch::Tensor &weights)
{
    const torch::Tensor weighted = z * weights.view({1, -1, 1});
    return weighted * (z.mean() / weighted.mean());
}

PromptEmbedding Conditioner::embed(Checkpoint &checkpoint, const std::string &prompt)
{
    const auto known =
        std::find_if(m_recent.begin(), m_recent.end(), [&](const Entry &entry) { return entry.prompt == prompt; });
    if (known != m_recent.end()) {
        m_recent.splice(m_recent.begin(), m_recent, known);
        return m_recent.front().embedding;
    }
    requireClipTokens(checkpoint);
    const Expected<PromptChunks> chunks = chunkPrompt(prompt);
    if (!chunks) throw Failure{chunks.error()};
    std::vector<torch::Tensor> parts;
    torch::Tensor pooled;
    for (const PromptChunk &chunk : chunks->chunks) {
        const PromptEmbedding part = encodeChunk(checkpoint, chunk);
        if (!pooled.defined()) pooled = part.pooled;
        parts.push_back(part.context);
    }
    m_recent.push_front({prompt, {torch::cat(parts, 1), pooled}});
    if (m_recent.size() > kRemembered) m_recent.pop_back();
    return m_recent.front().embedding;
}

}  // namespace sg
