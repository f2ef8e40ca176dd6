#include "core/diffusion/pipeline/conditioner.h"

#include <algorithm>
#include <utility>

namespace sg {
namespace {

constexpr std::size_t kRemembered = 16;
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

/// The chunk's tokens as this encoder wants its rows filled up.
torch::Tensor tokensFor(const TextEncoder &encoder, const PromptChunk &chunk)
{
    std::vector<std::int64_t> ids(chunk.tokens.begin(), chunk.tokens.end());
    const auto end = std::find(ids.begin(), ids.end(), kClipVocabulary - 1);
    if (end != ids.end()) std::fill(end + 1, ids.end(), encoder.traits().padToken);
    return torch::tensor(ids, torch::kLong).unsqueeze(0);
}

bool isPlain(const PromptChunk &chunk)
{
    return std::all_of(chunk.weights.begin(), chunk.weights.end(), [](float weight) { return weight == 1; });
}

bool sameSchedule(const PromptSchedule &a, const PromptSchedule &b)
{
    return a.texts == b.texts && a.entries == b.entries;
}

}  // namespace

ScheduledEmbedding::ScheduledEmbedding(Checkpoint &checkpoint, const adapters::EmbeddingSet &embeddings,
                                       PromptSchedule schedule, const TextOptions &options)
    : m_checkpoint(checkpoint), m_embeddings(embeddings), m_schedule(std::move(schedule)), m_options(options)
{
    m_empty = std::all_of(m_schedule.texts.begin(), m_schedule.texts.end(), [](const auto &t) { return t.empty(); });
    std::size_t most = 0;
    for (const std::string &text : m_schedule.texts) {
        Expected<PromptChunks> chunks = chunkPrompt(text, {.emphasis = options.emphasis,
                                                           .commaBacktrack = options.commaBacktrack,
                                                           .embeddings = &embeddings.names()});
        if (!chunks) throw Failure{chunks.error()};
        for (const PromptChunk &chunk : chunks->chunks)
            for (const EmbeddingPlace &place : chunk.embeddings)
                m_named.insert(place.embedding);
        m_weighed = m_weighed || !std::all_of(chunks->chunks.begin(), chunks->chunks.end(), isPlain);
        most = std::max(most, chunks->chunks.size());
        m_chunks.push_back(std::move(chunks->chunks));
    }
    for (std::vector<PromptChunk> &chunks : m_chunks)
        chunks.resize(most);
    m_made.resize(m_chunks.size());
}

const PromptEmbedding &ScheduledEmbedding::of(std::size_t text)
{
    if (m_made[text].context.defined()) return m_made[text];
    if (!m_weighed) {
        m_made[text] = joined(encode(text));
        return m_made[text];
    }
    // The mean that emphasis keeps is that of all texts.
    std::vector<Chunks> all;
    for (std::size_t i = 0; i < m_chunks.size(); ++i)
        all.push_back(encode(i));
    for (std::size_t i = 0; i < m_chunks.front().size(); ++i)
        weigh(all, i);
    for (std::size_t i = 0; i < m_chunks.size(); ++i)
        m_made[i] = joined(all[i]);
    return m_made[text];
}

ScheduledEmbedding::Chunks ScheduledEmbedding::encode(std::size_t text)
{
    Chunks made;
    for (const PromptChunk &chunk : m_chunks[text])
        made.push_back(encodeChunk(chunk));
    return made;
}

ScheduledEmbedding::Chunk ScheduledEmbedding::encodeChunk(const PromptChunk &chunk)
{
    Chunk made;
    m_checkpoint.use(CheckpointPart::Texts);
    for (std::size_t i = 0; i < m_checkpoint.texts.size(); ++i) {
        TextEncoder &encoder = *m_checkpoint.texts[i];
        const torch::Tensor tokens = tokensFor(encoder, chunk).to(m_checkpoint.device);
        const torch::Tensor embedded = m_embeddings.placed(encoder.embed(tokens), chunk, i);
        const EncodedText text = encoder.encode(tokens, embedded, m_options.clipSkip);
        made.columns.push_back(text.rows.to(torch::kFloat));
        if (text.pooled.defined()) made.pooled = text.pooled.to(torch::kFloat);
    }
    return made;
}

PromptEmbedding ScheduledEmbedding::joined(const Chunks &chunks) const
{
    std::vector<torch::Tensor> rows;
    for (const Chunk &chunk : chunks)
        rows.push_back(torch::cat(chunk.columns, 2));
    return {torch::cat(rows, 1), chunks.front().pooled, m_empty};
}

torch::Tensor ScheduledEmbedding::weightsOf(const PromptChunk &chunk) const
{
    const std::vector<float> weights(chunk.weights.begin(), chunk.weights.end());
    return torch::tensor(weights, torch::kFloat).to(m_checkpoint.device);
}

/// Weighs chunk number `chunk` of all texts, for each text encoder by itself.
void ScheduledEmbedding::weigh(std::vector<Chunks> &all, std::size_t chunk) const
{
    std::vector<double> times(m_chunks.size());
    for (const PromptSchedule::Entry &entry : m_schedule.entries)
        times[entry.text] += 1;
    for (std::size_t column = 0; column < all.front()[chunk].columns.size(); ++column) {
        torch::Tensor before = torch::zeros({}, torch::kDouble), after = before.clone();
        for (std::size_t text = 0; text < m_chunks.size(); ++text) {
            torch::Tensor &z = all[text][chunk].columns[column];
            before += z.mean().to(torch::kDouble).cpu() * times[text];
            z = z * weightsOf(m_chunks[text][chunk]).view({1, -1, 1});
            after += z.mean().to(torch::kDouble).cpu() * times[text];
        }
        if (m_options.emphasis != Emphasis::Original) continue;
        const double ratio = (before / after).item<double>();
        for (std::size_t text = 0; text < m_chunks.size(); ++text)
            all[text][chunk].columns[column] *= static_cast<float>(ratio);
    }
}

PromptEmbedding Conditioner::embed(Checkpoint &checkpoint, const std::string &prompt, const TextOptions &options)
{
    return embed(checkpoint, PromptSchedule{{prompt}, {{1, 0}}}, options)->of(0);
}

std::shared_ptr<ScheduledEmbedding> Conditioner::embed(Checkpoint &checkpoint, const PromptSchedule &schedule,
                                                       const TextOptions &options)
{
    const auto known = std::find_if(m_recent.begin(), m_recent.end(), [&](const auto &made) {
        return made->options() == options && sameSchedule(made->schedule(), schedule);
    });
    if (known != m_recent.end()) {
        m_recent.splice(m_recent.begin(), m_recent, known);
        return m_recent.front();
    }
    requireClipTokens(checkpoint);
    m_recent.push_front(std::make_shared<ScheduledEmbedding>(checkpoint, m_embeddings, schedule, options));
    if (m_recent.size() > kRemembered) m_recent.pop_back();
    return m_recent.front();
}

}  // namespace sg
