#include "core/params/param_values.h"
#include "core/server/image_modes.h"
#include "tests/fuzz/require.h"

#include <algorithm>

namespace {

using sg::Json;

/// A start picture of the body's size, where the body has one.
std::vector<sg::server::RequestPicture> takenFrom(Json &fields)
{
    if (!fields.contains("init_images")) return {};
    fields["init_images"] = {"start"};
    const auto side = [&](const char *key) {
        const auto it = fields.find(key);
        return it != fields.end() && it->is_number_integer()
                   ? static_cast<int>(std::clamp<std::int64_t>(it->get<std::int64_t>(), 1, 16384))
                   : 64;
    };
    return {{.row = "init_images",
             .bytes = {},
             .sha256 = {},
             .extension = "png",
             .width = side("width"),
             .height = side("height")}};
}

void requireGrown(const Json &fields, const std::vector<sg::server::RequestPicture> &pictures)
{
    for (const char *key : {"outpaint_left", "outpaint_right", "outpaint_up", "outpaint_down"})
        SG_REQUIRE(fields[key].is_number_integer() && fields[key].get<std::int64_t>() >= 0 &&
                   fields[key].get<std::int64_t>() <= 1024);
    const std::int64_t across =
        fields["outpaint_left"].get<std::int64_t>() + fields["outpaint_right"].get<std::int64_t>();
    if (!pictures.empty()) SG_REQUIRE(across == 0 || (pictures.front().width + across) % 64 == 0);
    SG_REQUIRE(!fields.contains("mask"));
}

}  // namespace

/// The scripts in a body of /sdapi/v1/img2img, and what the table makes of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size > 65536) return 0;
    auto body = sg::parseJson(fuzzText(data, size));
    if (!body || !body->is_object()) return 0;
    Json fields = std::move(*body);
    const auto pictures = takenFrom(fields);
    const bool outpainted = fields.contains("outpaint_left");
    std::vector<std::string> notes;
    if (const auto read = sg::server::readScripts(fields, pictures, notes); !read) {
        SG_REQUIRE(read.error().code == sg::ErrorCode::InvalidArgument && read.error().message.size() < 400);
        SG_REQUIRE(read.error().subject == "script_args" || read.error().subject == "alwayson_scripts");
        return 0;
    }
    SG_REQUIRE(fields.is_object() && notes.size() <= 1);
    if (!outpainted && fields.contains("outpaint_left")) requireGrown(fields, pictures);

    // Read once, nothing is left to read; and all of it can be stored.
    Json again = fields;
    SG_REQUIRE(sg::server::readScripts(again, pictures, notes) && again == fields && notes.size() <= 1);
    const auto stored = sg::parseJson(sg::dumpJson(fields));
    SG_REQUIRE(stored && *stored == fields);

    const sg::ParamTable &table = sg::ParamTable::imageToImage();
    const auto sized = sg::server::sizeForOutpainting(fields, pictures, table.limits().side);
    SG_REQUIRE(sized || (sized.error().subject == "init_images" && sized.error().message.size() < 400));
    const auto parsed = sg::parseParams(fields, table);
    if (!parsed) {
        SG_REQUIRE(parsed.error().code == sg::ErrorCode::InvalidArgument && parsed.error().message.size() < 400);
        return 0;
    }
    for (const sg::ParamSpec &spec : table.specs())
        SG_REQUIRE(sg::checkValue(spec, *parsed->values.find(spec.key)).has_value());
    return 0;
}
