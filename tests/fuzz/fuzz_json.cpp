#include "core/base/json.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const auto json = sg::parseJson(fuzzText(data, size));
    if (!json) {
        SG_REQUIRE(!json.error().message.empty());
        return 0;
    }
    const auto again = sg::parseJson(sg::dumpJson(*json));
    SG_REQUIRE(again && *again == *json);
    return 0;
}
