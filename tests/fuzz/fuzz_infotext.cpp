#include "core/picture/infotext.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    const sg::ParamTable &table = sg::ParamTable::standard();
    const auto parsed = sg::parseInfotext(fuzzText(data, size));
    if (!parsed) {
        SG_REQUIRE(!parsed.error().message.empty());
        return 0;
    }
    const auto params = sg::parseParams(parsed->params, table, sg::ParseMode::Lenient);
    if (!params) return 0;
    const std::string model = params->values.get<std::string>("stable_diffusion_model");
    const std::string text =
        sg::infotext({params->values, table, model, "0123456789", params->values.get<std::int64_t>("seed"),
                      params->values.get<std::int64_t>("subseed"), "Karras", "v"});
    auto again = sg::parseInfotext(text);
    SG_REQUIRE(again.has_value());
    SG_REQUIRE(again->params["steps"] == params->values.get<std::int64_t>("steps"));
    SG_REQUIRE(model == "Model" || again->value("Model") == model);
    return 0;
}
