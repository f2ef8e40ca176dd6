#include "core/text/embedding_names.h"

#include "core/text/clip_tokenizer.h"
#include "core/text/prompt_chunks.h"

#include <algorithm>
#include <utility>

namespace sg {

std::size_t EmbeddingNames::add(std::string_view name, std::size_t vectors)
{
    const std::size_t number = m_vectors.size();
    m_vectors.push_back(std::clamp<std::size_t>(vectors, 1, kChunkTokens));
    std::vector<std::int32_t> tokens = clipTokens(name);
    if (tokens.empty()) return number;
    std::vector<Name> &names = m_names[tokens.front()];
    const auto place = std::find_if(names.begin(), names.end(),
                                    [&](const Name &other) { return other.tokens.size() < tokens.size(); });
    names.insert(place, {std::move(tokens), number});
    return number;
}

std::optional<EmbeddingNames::Found> EmbeddingNames::at(std::span<const std::int32_t> tokens) const
{
    if (tokens.empty()) return std::nullopt;
    const auto names = m_names.find(tokens.front());
    if (names == m_names.end()) return std::nullopt;
    for (const Name &name : names->second)
        if (name.tokens.size() <= tokens.size() && std::equal(name.tokens.begin(), name.tokens.end(), tokens.begin()))
            return Found{name.embedding, name.tokens.size()};
    return std::nullopt;
}

}  // namespace sg
