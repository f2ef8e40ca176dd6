#include "core/params/generation_request.h"
#include "core/params/param_values.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const auto body = sg::parseJson(fuzzText(data, size));
    if (!body) return 0;
    const sg::ParamTable &table = sg::ParamTable::standard();
    for (const sg::ParseMode mode : {sg::ParseMode::Lenient, sg::ParseMode::Strict}) {
        auto parsed = sg::parseParams(*body, table, mode);
        if (!parsed) {
            SG_REQUIRE(parsed.error().code == sg::ErrorCode::InvalidArgument && parsed.error().message.size() < 400);
            continue;
        }
        for (const sg::ParamSpec &spec : table.specs())
            SG_REQUIRE(sg::checkValue(spec, *parsed->values.find(spec.key)).has_value());
        const auto again = sg::parseParams(parsed->values.toJson(table), table, sg::ParseMode::Strict);
        SG_REQUIRE(again && again->values == parsed->values);
        sg::resolveSeeds(parsed->values);
        const sg::GenerationRequest request = sg::GenerationRequest::from(parsed->values);
        SG_REQUIRE(request.seed >= 0 && request.subseed >= 0 && request.imageCount() >= 1);
    }
    return 0;
}
