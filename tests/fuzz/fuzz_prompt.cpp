#include "core/text/prompt.h"
#include "core/text/prompt_chunks.h"
#include "tests/fuzz/require.h"

#include <cmath>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view text = fuzzText(data, size);
    const auto pieces = sg::parsePrompt(text);
    if (pieces) {
        SG_REQUIRE(!pieces->empty());
        std::size_t length = 0;
        for (const sg::WeightedText &piece : *pieces) {
            SG_REQUIRE(std::isfinite(static_cast<float>(piece.weight)));
            length += piece.text.size();
        }
        SG_REQUIRE(length <= text.size());
        for (std::size_t i = 1; i < pieces->size(); ++i)
            SG_REQUIRE((*pieces)[i - 1].weight != (*pieces)[i].weight);
    }
    const auto chunks = sg::chunkPrompt(text);
    if (!chunks) return 0;
    SG_REQUIRE(pieces.has_value() && !chunks->chunks.empty());
    SG_REQUIRE(chunks->tokenCount <= static_cast<std::int64_t>(75 * chunks->chunks.size()));
    for (const sg::PromptChunk &chunk : chunks->chunks)
        for (const float weight : chunk.weights)
            SG_REQUIRE(std::isfinite(weight));
    return 0;
}
