#include "core/text/prompt_chunks.h"

#include "core/text/clip_tokenizer.h"
#include "core/text/clip_vocabulary.h"
#include "core/text/prompt_plan.h"
#include "core/text/prompt_scan.h"
#include "core/text/prompt_template.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

namespace sg {
namespace {

struct WeightedToken {
    std::int32_t token;
    float weight;
};

class Chunker {
public:
    explicit Chunker(std::size_t backtrack) : m_backtrack(backtrack) {}

    void add(std::int32_t token, float weight)
    {
        makeRoom(token);
        m_open.push_back({token, weight});
    }

    /// Before the token's turn, whatever comes of it.
    void makeRoom(std::int32_t token)
    {
        if (kCommaToken == token)
            m_comma = static_cast<std::ptrdiff_t>(m_open.size());
        else if (m_open.size() == kChunkTokens && m_comma >= 0 &&
                 m_open.size() - static_cast<std::size_t>(m_comma) <= m_backtrack)
            moveAfterComma();
        if (m_open.size() == kChunkTokens) close();
    }

    void addEmbedding(std::size_t embedding, std::size_t vectors, float weight)
    {
        if (m_open.size() + vectors > kChunkTokens) close();
        m_places.push_back({m_open.size() + 1, embedding});
        m_open.insert(m_open.end(), vectors, {0, weight});
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
        chunk.embeddings = std::exchange(m_places, {});
        m_done.chunks.push_back(std::move(chunk));
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

    std::size_t m_backtrack;
    PromptChunks m_done;
    std::vector<WeightedToken> m_open;
    std::vector<EmbeddingPlace> m_places;
    std::ptrdiff_t m_comma = -1;
};

Expected<std::vector<WeightedText>> piecesOf(std::string_view prompt, Emphasis emphasis)
{
    if (emphasis != Emphasis::None) return parsePrompt(prompt);
    if (Expected<void> sound = checkPrompt(prompt); !sound) return Unexpected{sound.error()};
    return std::vector<WeightedText>{{std::string(prompt), 1}};
}

void addPiece(Chunker &chunker, const std::vector<std::int32_t> &tokens, float weight, const EmbeddingNames *embeddings)
{
    for (std::size_t at = 0; at < tokens.size() && chunker.tokenCount() <= kMaxPromptTokens;) {
        const auto found = embeddings ? embeddings->at(std::span(tokens).subspan(at)) : std::nullopt;
        if (!found) {
            chunker.add(tokens[at++], weight);
            continue;
        }
        chunker.makeRoom(tokens[at]);
        chunker.addEmbedding(found->embedding, embeddings->vectors(found->embedding), weight);
        at += found->tokens;
    }
}

/// Wildcards stay what they are.
class NoWildcards final : public WildcardSource {
public:
    Expected<const std::vector<std::string> *> lines(std::string_view name) override
    {
        m_lines = {std::string(name)};
        return &m_lines;
    }

private:
    std::vector<std::string> m_lines;
};

}  // namespace

PromptChunk::PromptChunk()
{
    tokens.fill(ClipVocabulary::kEnd);
    tokens.front() = ClipVocabulary::kStart;
    weights.fill(1.0F);
}

Expected<PromptChunks> chunkPrompt(std::string_view prompt, const ChunkOptions &options)
{
    const Expected<std::vector<WeightedText>> pieces = piecesOf(prompt, options.emphasis);
    if (!pieces) return Unexpected{pieces.error()};
    Chunker chunker(options.commaBacktrack);
    for (const WeightedText &piece : *pieces) {
        if (piece.isBreak())
            chunker.close();
        else
            addPiece(chunker, clipTokens(piece.text),
                     options.emphasis == Emphasis::Ignore ? 1.0F : static_cast<float>(piece.weight),
                     options.embeddings);
        if (chunker.tokenCount() > kMaxPromptTokens) break;
    }
    PromptChunks chunks = chunker.take();
    if (chunks.tokenCount > kMaxPromptTokens)
        return fail(ErrorCode::TooLarge, "the prompt has more than " + std::to_string(kMaxPromptTokens) + " tokens",
                    "prompt");
    return chunks;
}

Expected<std::int64_t> countTokens(std::string_view prompt, const EmbeddingNames *embeddings)
{
    constexpr ScheduleSteps kSteps{.steps = 20};
    NoWildcards names;
    const Expected<std::string> resolved = resolvePrompt(prompt, 0, &names);
    if (!resolved) return Unexpected{resolved.error()};
    const Expected<PromptPlan> plan = planPrompt(*resolved, kSteps);
    if (!plan) return Unexpected{plan.error()};
    std::int64_t most = 0;
    for (const PromptPlan::Part &part : plan->parts)
        for (const std::string &text : part.schedule.texts) {
            const Expected<PromptChunks> chunks = chunkPrompt(text, {.embeddings = embeddings});
            if (!chunks) return Unexpected{chunks.error()};
            most = std::max(most, chunks->tokenCount);
        }
    return most;
}

}  // namespace sg
