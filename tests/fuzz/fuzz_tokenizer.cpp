#include "core/text/clip_tokenizer.h"
#include "core/text/clip_vocabulary.h"
#include "core/text/text_cleaning.h"
#include "core/text/unicode.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view text = fuzzText(data, size);
    const std::vector<std::int32_t> ids = sg::clipTokens(text);
    for (const std::int32_t id : ids)
        SG_REQUIRE(id >= 0 && id <= sg::ClipVocabulary::kEnd);
    SG_REQUIRE(sg::isUtf8(sg::encodeUtf8(sg::cleanText(text))));
    SG_REQUIRE(sg::isUtf8(text) == (sg::encodeUtf8(sg::decodeUtf8(text)) == text));
    return 0;
}
