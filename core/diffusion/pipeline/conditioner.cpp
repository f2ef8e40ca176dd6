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
    const ClipTextConfig &text = checkpoint.config.text;
    if (text.vocabulary >= kClipVocabulary && text.positions >= static_cast<std::int64_t>(kChunkLength)) return;
    throw Failure{{ErrorCode::UnusableFile,
                   "the text encoder has " + std::to_string(text.vocabulary) + " tokens and " +
                       std::to_string(text.positions) + " positions; CLIP's prompts need 49408 and 77",
                   {}}};
}

torch::Tensor encodeChunk(Checkpoint &checkpoint, const PromptChunk &chunk)
{
    std::vector<std::int64_t> ids(chunk.tokens.begin(), chunk.tokens.end());
    const torch::Tensor tokens = torch::tensor(ids, torch::kLong).unsqueeze(0).to(checkpoint.device);
    const torch::Tensor z = checkpoint.text->forward(tokens).to(torch::kFloat);
    const bool plain =
        std::all_of(chunk.weights.begin(), chunk.weights.end(), [](float weight) { return weight == 1; });
    if (plain) return z;
    const std::vector<float> weights(chunk.weights.begin(), chunk.weights.end());
    return applyEmphasis(z, torch::tensor(weights, torch::kFloat).to(checkpoint.device));
}

}  // namespace

torch::Tensor applyEmphasis(const torch::Tensor &z, const torch::Tensor &weights)
{
    const torch::Tensor weighted = z * weights.view({1, -1, 1});
    return weighted * (z.mean() / weighted.mean());
}

torch::Tensor Conditioner::embed(Checkpoint &checkpoint, const std::string &prompt)
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
    for (const PromptChunk &chunk : chunks->chunks)
        parts.push_back(encodeChunk(checkpoint, chunk));
    m_recent.push_front({prompt, torch::cat(parts, 1)});
    if (m_recent.size() > kRemembered) m_recent.pop_back();
    return m_recent.front().embedding;
}

}  // namespace sg
