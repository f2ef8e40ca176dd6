#include "core/server/first_pass.h"

#include "core/params/param_values.h"

#include <array>
#include <string>

namespace sg::server {
namespace {

bool asksFor(const Json &fields, const std::string &key)
{
    const auto it = fields.find(key);
    return it != fields.end() && !it->is_null() && *it != 0 && *it != "" && *it != false;
}

/// The field's value by the rule of `row`; the row's default where it is not sent.
Expected<std::int64_t> sideOf(const Json &fields, const std::string &key, const ParamSpec &row)
{
    const auto it = fields.find(key);
    if (it == fields.end() || it->is_null()) return std::get<std::int64_t>(row.defaultValue);
    ParamSpec rule = row;
    rule.key = key;
    const Expected<ParamValue> value = valueFromJson(rule, *it);
    if (!value) return Unexpected{value.error()};
    return std::get<std::int64_t>(*value);
}

}  // namespace

Expected<void> readFirstPass(Json &fields, const ParamTable &rows)
{
    if (!rows.find("enable_hr")) return {};
    if (asksFor(fields, "firstpass_image"))
        return fail(ErrorCode::InvalidArgument,
                    "firstpass_image is not supported: send that picture to img2img as init_images, with the width and "
                    "height that hires fix would give it",
                    "firstpass_image");
    const auto enabled = fields.find("enable_hr");
    const bool wide = asksFor(fields, "firstphase_width"), high = asksFor(fields, "firstphase_height");
    if ((!wide && !high) || enabled == fields.end() || *enabled != true) return {};
    if (!wide || !high)
        return fail(ErrorCode::InvalidArgument, "firstphase_width and firstphase_height must be sent together",
                    wide ? "firstphase_height" : "firstphase_width");
    struct Side {
        const char *first, *whole, *target;
    };
    constexpr std::array<Side, 2> kSides{
        {{"firstphase_width", "width", "hr_resize_x"}, {"firstphase_height", "height", "hr_resize_y"}}};
    for (const Side &side : kSides) {
        if (asksFor(fields, side.target))
            return fail(ErrorCode::InvalidArgument,
                        std::string(side.first) + " and " + side.target + " do not go together: with " + side.first +
                            ", " + side.whole + " is what hires fix draws",
                        side.first);
        const ParamSpec &row = *rows.find(side.whole);
        const Expected<std::int64_t> whole = sideOf(fields, side.whole, row);
        if (!whole) return Unexpected{whole.error()};
        const Expected<std::int64_t> first = sideOf(fields, side.first, row);
        if (!first) return Unexpected{first.error()};
        fields[side.target] = *whole;
        fields[side.whole] = *first;
        fields.erase(side.first);
    }
    return {};
}

}  // namespace sg::server
