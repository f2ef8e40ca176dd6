#include "core/text/prompt_chunks.h"

#include "core/text/clip_tokenizer.h"
#include "core/text/clip_vocabulary.h"
#include "core/text/prompt.h"

#include <algorithm>
#include <string>

namespace sg {
namespace {

constexpr std::size_t kBacktrack = 20;

struct WeightedToken {
    std::int32_t token;
    float weight;
};

class Chunker {
public:
    void add(std::int32_t token, float weight)
    {
        if (kCommaToken == token)
            m_comma = static_cast<std::ptrdiff_t>(m_open.size());
        else if (m_open.size() == kChunkTokens && m_comma >= 0 &&
                 m_open.size() - static_cast<std::size_t>(m_comma) <= kBacktrack)
            moveAfterComma();
        if (m_open.size() == kChunkTokens) close();
        m_open.push_back({token, weight});
    }

    void close()
    {
        m_done.tokenCount += static_cast<std::int64_t>(kChunkTokens);
        finish();
    }

    PromptChunks take()
    {
        if (!m_open.empty() || m_done.chunks.empty()) {
            m_done.tokenCount += static_cast<std::int64_t>(m_open.size());
            finish();
        }
        return std::move(m_done);
    }

    std::int64_t tokenCount() const { return m_done.tokenCount; }

private:
    void finish()
    {
        PromptChunk chunk;
        for (std::size_t i = 0; i < m_open.size(); ++i) {
            chunk.tokens[i + 1] = m_open[i].token;
            chunk.weights[i + 1] = m_open[i].weight;
        }
        m_done.chunks.push_back(chunk);
        m_open.clear();
        m_comma = -1;
    }

    void moveAfterComma()
    {
        const auto after = m_open.begin() + m_comma + 1;
        std::vector<WeightedToken> moved(after, m_open.end());
        m_open.erase(after, m_open.end());
        close();
        m_open = std::move(moved);
    }

    PromptChunks m_done;
    std::vector<WeightedToken> m_open;
    std::ptrdiff_t m_comma = -1;
};

}  // namespace

PromptChunk::PromptChunk()
{
    tokens.fill(ClipVocabulary::kEnd);
    tokens.front() = ClipVocabulary::kStart;
    weights.fill(1.0F);
}

Expected<PromptChunks> chunkPrompt(std::string_view prompt)
{
    const Expected<std::vector<WeightedText>> pieces = parsePrompt(prompt);
    if (!pieces) return Unexpected{pieces.error()};
    Chunker chunker;
    for (const WeightedText &piece : *pieces) {
        if (piece.isBreak())
            chunker.close();
        else
            for (const std::int32_t token : clipTokens(piece.text))
                chunker.add(token, static_cast<float>(piece.weight));
        if (chunker.tokenCount() > kMaxPromptTokens) break;
    }
    PromptChunks chunks = chunker.take();
    if (chunks.tokenCount > kMaxPromptTokens)
        return fail(ErrorCode::TooLarge, "the prompt has more than " + std::to_string(kMaxPromptTokens) + " tokens",
                    "prompt");
    return chunks;
}

Expected<std::int64_t> countTokens(std::string_view prompt)
{
    return chunkPrompt(prompt).map([](const PromptChunks &chunks) { return chunks.tokenCount; });
}

}  // namespace sg
