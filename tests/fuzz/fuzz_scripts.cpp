#include "core/params/param_values.h"
#include "core/server/builtin_scripts.h"
#include "core/server/first_pass.h"
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

/// The scripts that are parts of A1111's form; false when the body is refused.
bool readBuiltin(Json &fields, const sg::ParamTable &rows)
{
    if (const auto read = sg::server::readBuiltinScripts(fields, rows); !read) {
        SG_REQUIRE(read.error().code == sg::ErrorCode::InvalidArgument && read.error().message.size() < 400);
        SG_REQUIRE(read.error().subject == "alwayson_scripts");
        SG_REQUIRE(read.error().message.starts_with("alwayson_scripts."));
        return false;
    }
    Json again = fields;
    SG_REQUIRE(sg::server::readBuiltinScripts(again, rows) && again == fields);
    return true;
}

/// And hires fix's older fields, which only txt2img has.
void readAsTextToImage(Json fields)
{
    const sg::ParamTable &rows = sg::ParamTable::textToImage();
    if (!readBuiltin(fields, rows)) return;
    if (const auto read = sg::server::readFirstPass(fields, rows); !read) {
        SG_REQUIRE(read.error().code == sg::ErrorCode::InvalidArgument && read.error().message.size() < 400);
        SG_REQUIRE(!read.error().subject.empty());
        return;
    }
    Json again = fields;
    SG_REQUIRE(sg::server::readFirstPass(again, rows) && again == fields);
    const auto parsed = sg::parseParams(fields, rows);
    SG_REQUIRE(parsed || (!parsed.error().message.empty() && parsed.error().message.size() < 400));
}

}  // namespace

/// The scripts in a body of /sdapi/v1/img2img, and what the table makes of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    if (size > 65536) return 0;
    auto body = sg::parseJson(fuzzText(data, size));
    if (!body || !body->is_object()) return 0;
    Json fields = std::move(*body);
    readAsTextToImage(fields);
    if (!readBuiltin(fields, sg::ParamTable::imageToImage())) return 0;
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
