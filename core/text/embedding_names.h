#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sg {

/// Textual inversion embeddings by the tokens of their names, so that a prompt can name them anywhere.
class EmbeddingNames {
public:
    struct Found {
        std::size_t embedding = 0;  ///< the number that add() returned
        std::size_t tokens = 0;     ///< how many tokens its name has
    };

    /// An embedding that takes `vectors` places in a prompt, at most a chunk's. Of two with the same tokens the first
    /// counts. Returns its number: 0, 1, 2 …
    std::size_t add(std::string_view name, std::size_t vectors);
    /// The one with the longest name that `tokens` begin with.
    std::optional<Found> at(std::span<const std::int32_t> tokens) const;
    std::size_t vectors(std::size_t embedding) const { return m_vectors[embedding]; }
    std::size_t size() const { return m_vectors.size(); }

private:
    struct Name {
        std::vector<std::int32_t> tokens;
        std::size_t embedding = 0;
    };
    std::map<std::int32_t, std::vector<Name>> m_names;  // by first token, longest first
    std::vector<std::size_t> m_vectors;
};

}  // namespace sg
