#include "core/server/image_modes.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string_view>

namespace sg::server {
namespace {

constexpr std::int64_t kMostOutpainted = 1024;
constexpr double kMostBlur = 64;

std::string lowerCase(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    return text;
}

/// A1111's clients send 0 and 1 for its check boxes; what is neither is left to the table.
Json asFlag(Json value)
{
    return value.is_number() ? Json(value.get<double>() != 0) : value;
}

/// A script's arguments in their order; those that were not sent have the script's defaults.
class Arguments {
public:
    Arguments(const Json &list, Json &fields) : m_list(list), m_fields(fields) {}

    Json at(std::size_t index, const Json &otherwise) const
    {
        return index < m_list.size() && !m_list[index].is_null() ? m_list[index] : otherwise;
    }
    /// The row gets the argument as it is: the table checks it.
    void set(std::size_t index, const char *row, const Json &otherwise) { m_fields[row] = at(index, otherwise); }
    bool flag(std::size_t index, bool otherwise) const { return asFlag(at(index, otherwise)) == true; }

private:
    const Json &m_list;
    Json &m_fields;
};

const RequestPicture *startPicture(const std::vector<RequestPicture> &pictures)
{
    const auto it = std::find_if(pictures.begin(), pictures.end(),
                                 [](const RequestPicture &picture) { return picture.row == "init_images"; });
    return it == pictures.end() ? nullptr : &*it;
}

void readLoopback(Arguments &arguments, std::vector<std::string> &notes)
{
    arguments.set(0, "loopback_loops", 4);
    arguments.set(1, "loopback_final_strength", 0.5);
    arguments.set(2, "loopback_curve", "Linear");
    if (arguments.at(3, "None") != "None") notes.push_back("loopback: prompts are not interrogated, so none was added");
}

/// Pixels before and after in one direction, as A1111 spreads what the next multiple of 64 leaves.
std::array<std::int64_t, 2> spread(std::int64_t size, std::int64_t before, std::int64_t after)
{
    if (before + after == 0) return {0, 0};
    const std::int64_t all = (size + before + after + 63) / 64 * 64 - size;
    const std::int64_t first = before * all / (before + after);
    return {first, after > 0 ? all - first : 0};
}

struct OutpaintScript {
    std::size_t first;  ///< place of the pixels; blur, and for poor man's the fill, come next
    double blur;        ///< default
    double blurFactor;
    bool poorMans;  ///< has a fill, and draws one picture
};

Expected<void> readOutpainting(const Arguments &arguments, const OutpaintScript &script,
                               const std::vector<RequestPicture> &pictures, Json &fields)
{
    const auto refuse = [](const std::string &rule) {
        return fail(ErrorCode::InvalidArgument, "outpainting: " + rule, "script_args");
    };
    const Json pixels = arguments.at(script.first, 128), blur = arguments.at(script.first + 1, script.blur);
    if (!pixels.is_number() || pixels.get<double>() < 0 || pixels.get<double>() > kMostOutpainted)
        return refuse("the pixels must be a number between 0 and " + std::to_string(kMostOutpainted));
    if (!blur.is_number() || blur.get<double>() < 0 || blur.get<double>() > kMostBlur)
        return refuse("the mask blur must be a number between 0 and 64");
    Json fill = script.poorMans ? arguments.at(script.first + 2, 0) : Json(0);
    constexpr std::array<std::string_view, 4> kFills{"fill", "original", "latent noise", "latent nothing"};
    if (const auto name = std::find(kFills.begin(), kFills.end(), fill.is_string() ? fill.get<std::string>() : "");
        name != kFills.end())
        fill = name - kFills.begin();
    const Json sides = arguments.at(script.first + (script.poorMans ? 3 : 2), {"left", "right", "up", "down"});
    if (!sides.is_array()) return refuse("the directions must be a list");
    const auto grown = [&](const char *side) {
        return std::find(sides.begin(), sides.end(), side) == sides.end()
                   ? std::int64_t{0}
                   : static_cast<std::int64_t>(pixels.get<double>());
    };
    const RequestPicture *start = startPicture(pictures);
    const auto [left, right] = spread(start ? start->width : 0, grown("left"), grown("right"));
    const auto [up, down] = spread(start ? start->height : 0, grown("up"), grown("down"));
    if (const std::int64_t most = std::max({left, right, up, down}); most > kMostOutpainted)
        return refuse("to the next multiple of 64 the picture would grow by " + std::to_string(most) +
                      " pixels on a side; " + std::to_string(kMostOutpainted) + " are allowed");
    fields["outpaint_left"] = left;
    fields["outpaint_right"] = right;
    fields["outpaint_up"] = up;
    fields["outpaint_down"] = down;
    fields["mask_blur"] = static_cast<std::int64_t>(std::min(blur.get<double>() * script.blurFactor, kMostBlur));
    fields["inpainting_fill"] = fill;
    if (script.poorMans) fields["batch_size"] = fields["n_iter"] = 1;
    for (const char *key : {"mask", "latent_mask", "mask_blur_x", "mask_blur_y"})
        fields.erase(key);
    return {};
}

void readAlternativeNoise(Arguments &arguments, Json &fields)
{
    fields["alternative_noise"] = true;
    arguments.set(3, "decode_prompt", "");
    arguments.set(4, "decode_negative_prompt", "");
    arguments.set(6, "decode_steps", 50);
    arguments.set(8, "decode_cfg_scale", 1.0);
    arguments.set(9, "decode_randomness", 0.0);
    fields["decode_sigma_adjustment"] = asFlag(arguments.at(10, false));
    fields["batch_size"] = 1;
    if (arguments.flag(1, true)) fields["sampler_name"] = "Euler";
    if (arguments.flag(2, true)) {
        arguments.set(3, "prompt", "");
        arguments.set(4, "negative_prompt", "");
    }
    if (arguments.flag(5, true)) arguments.set(6, "steps", 50);
    if (arguments.flag(7, true)) fields["denoising_strength"] = 1.0;
}

Expected<void> readSelected(Json &fields, const std::vector<RequestPicture> &pictures, std::vector<std::string> &notes)
{
    const auto named = fields.find("script_name");
    if (named == fields.end() || !named->is_string()) return {};
    const std::string script = lowerCase(named->get<std::string>());
    Json list = fields.value("script_args", Json());
    if (list.is_null()) list = Json::array();
    if (!list.is_array()) return fail(ErrorCode::InvalidArgument, "script_args must be a list", "script_args");
    Arguments arguments(list, fields);
    Expected<void> read;
    if (script == "loopback") {
        readLoopback(arguments, notes);
    } else if (script == "poor man's outpainting") {
        read = readOutpainting(arguments, {0, 4, 2, true}, pictures, fields);
    } else if (script == "outpainting mk2") {
        notes.push_back("outpainting mk2 is drawn as poor man's outpainting: its matched noise is not there yet");
        read = readOutpainting(arguments, {1, 8, 1, false}, pictures, fields);
    } else if (script == "img2img alternative test") {
        readAlternativeNoise(arguments, fields);
    } else {
        return {};
    }
    if (!read) return read;
    fields.erase("script_name");
    fields.erase("script_args");
    return {};
}

Expected<void> readSoftInpainting(const Json &script, Json &fields)
{
    const Json list = script.is_object() ? script.value("args", Json::array()) : Json();
    if (!list.is_array())
        return fail(ErrorCode::InvalidArgument, "alwayson_scripts: Soft Inpainting must have a list of args",
                    "alwayson_scripts");
    constexpr std::array<const char *, 7> kRows{
        "soft_inpainting",     "soft_schedule_bias",        "soft_preservation_strength", "soft_contrast_boost",
        "soft_mask_influence", "soft_difference_threshold", "soft_difference_contrast"};
    for (std::size_t i = 0; i < std::min(kRows.size(), list.size()); ++i)
        if (!list[i].is_null()) fields[kRows[i]] = i == 0 ? asFlag(list[i]) : list[i];
    return {};
}

}  // namespace

Expected<void> readScripts(Json &fields, const std::vector<RequestPicture> &pictures, std::vector<std::string> &notes)
{
    if (Expected<void> selected = readSelected(fields, pictures, notes); !selected) return selected;
    const auto always = fields.find("alwayson_scripts");
    if (always == fields.end() || !always->is_object()) return {};
    Json rest = Json::object();
    const Json scripts = *always;
    for (const auto &[name, script] : scripts.items()) {
        if (lowerCase(name) != "soft inpainting")
            rest[name] = script;
        else if (Expected<void> read = readSoftInpainting(script, fields); !read)
            return read;
    }
    fields["alwayson_scripts"] = std::move(rest);
    return {};
}

Expected<void> sizeForOutpainting(Json &fields, const std::vector<RequestPicture> &pictures, std::int64_t mostSide)
{
    const auto pixels = [&](const char *key) {
        const auto it = fields.find(key);
        return it != fields.end() && it->is_number() ? std::clamp(it->get<double>(), 0.0, double{kMostOutpainted})
                                                     : 0.0;
    };
    const double across = pixels("outpaint_left") + pixels("outpaint_right");
    const double down = pixels("outpaint_up") + pixels("outpaint_down");
    const RequestPicture *start = startPicture(pictures);
    if (!start || across + down == 0) return {};
    const auto sizeOf = [](const RequestPicture &picture) {
        return std::to_string(picture.width) + "x" + std::to_string(picture.height);
    };
    std::size_t index = 0;
    for (const RequestPicture &picture : pictures) {
        if (picture.row != start->row) continue;
        if (picture.width != start->width || picture.height != start->height)
            return fail(ErrorCode::InvalidArgument,
                        "outpainting needs start pictures of one size: init_images[0] has " + sizeOf(*start) +
                            " and init_images[" + std::to_string(index) + "] " + sizeOf(picture),
                        "init_images");
        ++index;
    }
    const auto whole = [](int side, double more) { return (side + static_cast<std::int64_t>(more) + 7) / 8 * 8; };
    const std::int64_t width = whole(start->width, across), height = whole(start->height, down);
    if (std::max(width, height) > mostSide)
        return fail(ErrorCode::InvalidArgument,
                    "the grown picture would be " + std::to_string(width) + "x" + std::to_string(height) +
                        "; a side may have " + std::to_string(mostSide) + " pixels",
                    "init_images");
    fields["width"] = width;
    fields["height"] = height;
    return {};
}

}  // namespace sg::server
