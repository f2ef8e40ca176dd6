#include "core/server/request_infotext.h"

#include "core/models/model_library.h"
#include "core/picture/infotext.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sg::server {
namespace {

constexpr const char *kField = "infotext";

/// Rows that say the same in several ways: where the body sends one of `sent`, the infotext's `rows` are left.
struct SameThing {
    std::vector<std::string_view> sent, rows;
};

const std::array<SameThing, 4> &sameThings()
{
    static const std::array<SameThing, 4> all{{
        {{"sampler_index"}, {"sampler_name"}},
        {{"mask_blur"}, {"mask_blur_x", "mask_blur_y"}},
        {{"hr_scale", "hr_resize_x", "hr_resize_y", "firstphase_width", "firstphase_height"},
         {"hr_scale", "hr_resize_x", "hr_resize_y"}},
        {{"sd_model_checkpoint"}, {"stable_diffusion_model"}},
    }};
    return all;
}

/// What the client says itself.
class Sent {
public:
    explicit Sent(const Json &fields) : m_fields(fields), m_overrides(fields.value("override_settings", Json()))
    {
        if (!m_overrides.is_object()) m_overrides = Json::object();
    }

    bool names(std::string_view row) const
    {
        if (has(row) || (row == "clip_skip" && has("CLIP_stop_at_last_layers"))) return true;
        return std::any_of(sameThings().begin(), sameThings().end(), [&](const SameThing &same) {
            return std::find(same.rows.begin(), same.rows.end(), row) != same.rows.end() &&
                   std::any_of(same.sent.begin(), same.sent.end(), [&](std::string_view key) { return has(key); });
        });
    }

private:
    bool has(std::string_view key) const
    {
        const auto in = [key = std::string(key)](const Json &object) {
            const auto it = object.find(key);
            return it != object.end() && !it->is_null();
        };
        return in(m_fields) || in(m_overrides);
    }

    Json m_fields, m_overrides;
};

/// Whether the note says that something was not used, not what an old version did.
bool isLoss(const std::string &note)
{
    return note.ends_with("was left out") || note.starts_with("sampler") || note.starts_with("schedule");
}

Unexpected refuse(const Error &error)
{
    const bool named = error.message.find(kField) != std::string::npos;
    return fail(error.code, (named ? "" : "infotext: ") + error.message, kField);
}

/// The library's name of the picture's model, or an empty text and why.
std::string modelNamed(const ParsedInfotext &parsed, const ModelLibrary &library, std::string &note)
{
    const std::string hash(parsed.value("Model hash")), name(parsed.value("Model"));
    if (hash.empty() && name.empty()) return {};
    if (const auto model = hash.empty() ? std::nullopt : library.find(hash, "stableDiffusion")) return model->name;
    const std::string wanted = name.empty() ? hash.substr(0, 80) : name.substr(0, 80);
    const auto model = name.empty() ? std::nullopt : library.find(name, "stableDiffusion");
    if (!model) {
        note = "there is no model \"" + wanted + "\", so its model was left out";
        return {};
    }
    // Until a file's hash is known, its name is all there is.
    if (!hash.empty() && !model->sha256.empty())
        note = "the model \"" + wanted + "\" here is another file than the picture's, " + hash.substr(0, 80);
    return model->name;
}

}  // namespace

Expected<std::vector<std::string>> fillFromInfotext(Json &fields, const ParamTable &rows, const ModelLibrary &library,
                                                    bool strict, std::vector<std::string> &notes)
{
    const auto field = fields.find(kField);
    if (field == fields.end() || field->is_null() || *field == "") return {};
    if (!field->is_string()) return fail(ErrorCode::InvalidArgument, "infotext must be a text", kField);
    Expected<ParsedInfotext> parsed = parseInfotext(field->get_ref<const std::string &>(), rows);
    if (!parsed) return refuse(parsed.error());
    fields.erase(kField);
    const Sent sent(fields);
    if (!sent.names("stable_diffusion_model")) {
        std::string note;
        parsed->params["stable_diffusion_model"] = modelNamed(*parsed, library, note);
        if (!note.empty()) parsed->notes.push_back(std::move(note));
    }
    for (const std::string &note : parsed->notes) {
        if (sent.names(note.substr(0, note.find(' ')))) continue;
        if (strict && isLoss(note)) return refuse({ErrorCode::InvalidArgument, note, kField});
        notes.push_back("infotext: " + note);
    }
    std::vector<std::string> filled;
    for (const auto &[row, value] : parsed->params.items()) {
        if (sent.names(row) || !rows.find(row) || value == "") continue;
        fields[row] = value;
        filled.push_back(row);
    }
    return filled;
}

Error namingInfotext(Error error, const std::vector<std::string> &filled)
{
    if (std::find(filled.begin(), filled.end(), error.subject) == filled.end()) return error;
    error.message = "infotext: " + error.message;
    error.subject = kField;
    return error;
}

}  // namespace sg::server
