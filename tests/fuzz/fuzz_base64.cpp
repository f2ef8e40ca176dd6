#include "core/base/base64.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const std::string_view text = fuzzText(data, size);
    SG_REQUIRE(sg::decodeBase64(sg::encodeBase64(text)).value() == text);
    if (const auto bytes = sg::decodeBase64(text)) SG_REQUIRE(text.ends_with(sg::encodeBase64(*bytes)));
    return 0;
}
