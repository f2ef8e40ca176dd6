#include "core/modelfile/embedding_picture.h"
#include "tests/fuzz/require.h"

#include <cmath>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const sg::MemorySource file(fuzzText(data, size));
    const auto vectors = sg::readEmbeddingPicture(file);
    if (!vectors) {
        const sg::ErrorCode code = vectors.error().code;
        SG_REQUIRE(code == sg::ErrorCode::UnusableFile ||
                   (code == sg::ErrorCode::NotFound && !sg::carriesEmbedding(file)));
        SG_REQUIRE(!vectors.error().message.empty());
        return 0;
    }
    SG_REQUIRE(!vectors->empty() && vectors->size() <= 2);
    for (const sg::CarriedVectors &one : *vectors) {
        SG_REQUIRE(one.count >= 1 && one.count <= sg::kMaxCarriedVectors);
        SG_REQUIRE(one.width >= 1 && one.width <= sg::kMaxCarriedWidth);
        SG_REQUIRE(one.values.size() == static_cast<std::size_t>(one.count * one.width));
        for (const float value : one.values)
            SG_REQUIRE(std::isfinite(value));
    }
    return 0;
}
