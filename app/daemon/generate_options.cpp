#include "app/daemon/generate_options.h"

#include "app/daemon/command_line.h"

#include "core/base/base64.h"
#include "core/params/param_table.h"
#include "core/params/param_values.h"
#include "core/picture/infotext.h"
#include "core/picture/picture_header.h"
#include "core/server/request_pictures.h"

#include <QFile>

#include <algorithm>
#include <cstdio>

namespace sg::daemon {
namespace {

/// Option, parameter, help. Values are checked by the parameter table, as the API's are.
struct ParamOption {
    const char *option;
    const char *key;
    const char *help;
};

constexpr ParamOption kParams[] = {
    {"prompt", "prompt", "What the picture shows."},
    {"negative", "negative_prompt", "What it should not show."},
    {"styles", "styles", "Names of styles (styles.csv of the data folder), joined by commas."},
    {"sampler", "sampler_name", "Sampler, such as \"Euler a\"."},
    {"scheduler", "scheduler", "Schedule, such as Karras."},
    {"steps", "steps", "Steps."},
    {"cfg", "cfg_scale", "How closely the picture follows the prompt."},
    {"width", "width", "Width in pixels."},
    {"height", "height", "Height in pixels."},
    {"seed", "seed", "Seed; -1 takes a random one."},
    {"batch", "batch_size", "How many pictures."},
};

/// Those of start pictures and hires fix: part of the request only when they are given.
constexpr ParamOption kPictureParams[] = {
    {"strength", "denoising_strength", "How far the result may move away from the start: 0 to 1."},
    {"resize-mode", "resize_mode", "Stretch, crop or fill a start picture of another shape: a name or its number."},
    {"upscaler", "upscaler_for_img2img", "Makes start pictures larger: Lanczos, or an upscaler's name."},
    {"mask-blur", "mask_blur", "How softly the mask ends, in pixels."},
    {"fill", "inpainting_fill", "What fills the masked part first: fill, original, latent noise, latent nothing."},
    {"padding", "inpaint_full_res_padding", "Surroundings of the masked area, in pixels."},
    {"vae", "sd_vae", "The autoencoder: a file's name, Automatic or None."},
    {"clip-skip", "clip_skip", "Which layer of the text encoder is read, counted from the last."},
    {"refiner", "refiner_checkpoint", "A checkpoint that makes the last steps."},
    {"refiner-switch-at", "refiner_switch_at", "How far the noise must have gone before it takes over: 0 to 1."},
    {"hires-checkpoint", "hr_checkpoint_name", "A checkpoint for the second pass."},
    {"hires-sampler", "hr_sampler_name", "Sampler of the second pass."},
    {"hires-scheduler", "hr_scheduler", "Schedule of the second pass."},
    {"hires-prompt", "hr_prompt", "Prompt of the second pass."},
    {"hires-scale", "hr_scale", "How much larger hires fix draws."},
    {"hires-upscaler", "hr_upscaler", "Latent, Lanczos, …, or an upscaler's name."},
    {"hires-steps", "hr_second_pass_steps", "Steps of the second pass; 0 is as many as the first."},
};

/// Options without a value: the flag that they switch on or, for "whole-picture", off.
struct FlagOption {
    const char *option;
    const char *key;
    bool value;
    const char *help;
};

constexpr FlagOption kFlags[] = {
    {"only-masked", "inpaint_full_res", true, "Draws the masked part alone at the full size and puts it back."},
    {"whole-picture", "inpaint_full_res", false, "Draws the whole picture, masked or not (the default)."},
    {"invert-mask", "inpainting_mask_invert", true, "Black is drawn anew instead of white."},
    {"colour-correction", "img2img_color_correction", true, "Gives the result the colours of the start picture."},
    {"exact-steps", "img2img_fix_steps", true, "Makes exactly the steps asked for."},
    {"hires", "enable_hr", true, "Hires fix: draws small first, then larger from there."},
};

/// Fields that files are given for.
constexpr std::pair<const char *, const char *> kFiles[] = {
    {"init", "init_images"}, {"mask", "mask"}, {"latent-mask", "latent_mask"}, {"model", "stable_diffusion_model"}};

/// What the user types for a field: "--hires"; "--set field" where that is the only way, or was the way taken.
std::string optionFor(std::string_view key, const std::vector<std::string> &settings)
{
    const bool set = std::find(settings.begin(), settings.end(), key) != settings.end();
    for (const ParamOption &option : kParams)
        if (!set && key == option.key) return "--" + std::string(option.option);
    for (const ParamOption &option : kPictureParams)
        if (!set && key == option.key) return "--" + std::string(option.option);
    for (const FlagOption &option : kFlags)
        if (!set && key == option.key) return "--" + std::string(option.option);
    for (const auto &[option, field] : kFiles)
        if (key == field) return "--" + std::string(option);
    return "--set " + std::string(key);
}

/// The option's text as the row's value; the names of numbered choices are taken in any case.
Expected<Json> valueOf(const ParamOption &option, const ParamSpec &spec, const std::string &text)
{
    const bool number = spec.type == ParamType::Integer || spec.type == ParamType::Number;
    if (!number) return Json(text);
    for (std::size_t i = 0; i < spec.choices.size(); ++i)
        if (QString::fromStdString(spec.choices[i]).compare(QString::fromStdString(text), Qt::CaseInsensitive) == 0)
            return Json(static_cast<std::int64_t>(spec.minimum) + static_cast<std::int64_t>(i));
    Expected<Json> value = parseJson(text);
    if (value && value->is_number()) return value;
    std::string rule = "a number";
    for (const std::string &choice : spec.choices)
        rule += ", \"" + choice + "\"";
    return fail(ErrorCode::InvalidArgument,
                "--" + std::string(option.option) + " must be " + rule + ", not \"" + text + "\"");
}

/// --set KEY=VALUE: any row of the parameter table.
Expected<void> addSetting(const std::string &text, const ParamTable &table, Json &body)
{
    const std::size_t equals = text.find('=');
    const std::string key = text.substr(0, equals);
    const ParamSpec *spec = equals == std::string::npos ? nullptr : table.find(key);
    if (!spec || spec->isPicture())
        return fail(ErrorCode::InvalidArgument,
                    "--set must be KEY=VALUE with a field of docs/parameters.md that is no picture, not \"" + text +
                        "\"",
                    "set");
    const std::string value = text.substr(equals + 1);
    if (spec->type == ParamType::Flag) {
        if (value != "true" && value != "false")
            return fail(ErrorCode::InvalidArgument, "--set " + key + " must be true or false, not \"" + value + "\"",
                        key);
        body[key] = value == "true";
        return {};
    }
    const std::string option = "set " + key;
    Expected<Json> read = valueOf({option.c_str(), spec->key.c_str(), ""}, *spec, value);
    if (!read) return Unexpected{read.error()};
    body[key] = std::move(*read);
    return {};
}

Expected<std::string> readPictureFile(const QString &path, const char *option)
{
    const auto refuse = [&](ErrorCode code, const std::string &why) {
        return fail(code, "--" + std::string(option) + " " + path.toStdString() + ": " + why, option);
    };
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly)) return refuse(ErrorCode::NotFound, file.errorString().toStdString());
    if (file.size() > qint64{server::kMaxRequestPictureBytes})
        return refuse(ErrorCode::TooLarge, "larger than " + std::to_string(server::kMaxRequestPictureBytes) + " bytes");
    std::string bytes = file.readAll().toStdString();
    if (const Expected<PictureHeader> header = readPictureHeader(bytes); !header)
        return refuse(header.error().code, header.error().message);
    return bytes;
}

/// Adds start pictures and mask. Without a size of its own the picture keeps the first start picture's.
Expected<void> addPictures(const QCommandLineParser &parser, Json &body)
{
    const QStringList inits = parser.values(name("init"));
    for (const char *option : {"mask", "latent-mask"})
        if (inits.isEmpty() && parser.isSet(name(option)))
            return fail(ErrorCode::InvalidArgument,
                        "--" + std::string(option) + " needs --init, the picture that it belongs to", option);
    for (const QString &path : inits) {
        const Expected<std::string> bytes = readPictureFile(path, "init");
        if (!bytes) return Unexpected{bytes.error()};
        const Expected<PictureHeader> header = readPictureHeader(*bytes);
        if (!body.contains("width")) body["width"] = std::max(header->width / 8 * 8, 8);
        if (!body.contains("height")) body["height"] = std::max(header->height / 8 * 8, 8);
        body["init_images"].push_back(encodeBase64(*bytes));
    }
    for (const auto &[option, key] : {std::pair("mask", "mask"), {"latent-mask", "latent_mask"}}) {
        if (!parser.isSet(name(option))) continue;
        const Expected<std::string> bytes = readPictureFile(parser.value(name(option)), option);
        if (!bytes) return Unexpected{bytes.error()};
        body[key] = encodeBase64(*bytes);
    }
    return {};
}

void noteLike(const std::string &text)
{
    tell("--like: " + text);
}

/// What the infotext of --like says. Errors  NotFound, TooLarge, UnusableFile, and InvalidArgument without an infotext.
Expected<Json> bodyLike(const QCommandLineParser &parser)
{
    if (!parser.isSet(name("like"))) return Json::object();
    const QString path = parser.value(name("like"));
    const Expected<std::string> bytes = readPictureFile(path, "like");
    if (!bytes) return Unexpected{bytes.error()};
    const std::string text = infotextIn(*bytes);
    if (text.empty())
        return fail(ErrorCode::InvalidArgument, "--like " + path.toStdString() + ": has no infotext in it", "like");
    Expected<ParsedInfotext> parsed = parseInfotext(text);
    if (!parsed) return Unexpected{parsed.error()};
    for (const std::string &note : parsed->notes)
        noteLike(note);
    const bool strength = !parsed->value("Denoising strength").empty();
    if (strength && !parsed->params.contains("enable_hr") && !parser.isSet(name("init")))
        noteLike("that picture was drawn from a start picture, which --init would name");
    return std::move(parsed->params);
}

/// What the options themselves say.
Expected<Json> bodyGiven(const QCommandLineParser &parser, const ParamTable &table)
{
    Json body = Json::object();
    const auto add = [&](const ParamOption &option) -> Expected<void> {
        if (!parser.isSet(name(option.option))) return {};
        Expected<Json> value =
            valueOf(option, *table.find(option.key), parser.value(name(option.option)).toStdString());
        if (!value) return Unexpected{value.error()};
        body[option.key] = std::move(*value);
        return {};
    };
    for (const ParamOption &option : kParams)
        if (Expected<void> added = add(option); !added) return Unexpected{added.error()};
    for (const ParamOption &option : kPictureParams)
        if (Expected<void> added = add(option); !added) return Unexpected{added.error()};
    for (const FlagOption &option : kFlags)
        if (parser.isSet(name(option.option))) body[option.key] = option.value;
    for (const QString &setting : parser.values(name("set")))
        if (Expected<void> added = addSetting(setting.toStdString(), table, body); !added)
            return Unexpected{added.error()};
    return body;
}

/// Errors  InvalidArgument: an option of text-to-image beside --init, or one of image-to-image without it.
Expected<void> checkKind(const Json &given, const std::vector<std::string> &settings, const Json &body)
{
    const bool started = body.contains("init_images");
    const ParamTable rows = ParamTable::standard().only(started ? TaskKind::ImageToImage : TaskKind::TextToImage);
    for (const auto &[key, value] : given.items())
        if (!rows.find(key))
            return fail(ErrorCode::InvalidArgument,
                        optionFor(key, settings) + (started ? " does not go together with --init" : " needs --init"),
                        key);
    return {};
}

/// A picture with hires fix is no start of another one, and one that was drawn from another says things that mean
/// nothing without it: what no option asks for is left out where this drawing has no field for it.
void leaveOut(const Json &like, const Json &given, Json &body)
{
    const TaskKind kind = body.contains("init_images") ? TaskKind::ImageToImage : TaskKind::TextToImage;
    const ParamTable rows = ParamTable::standard().only(kind);
    std::string left;
    for (const auto &[key, value] : like.items()) {
        if (rows.find(key) || given.contains(key)) continue;
        body.erase(key);
        left += (left.empty() ? "" : ", ") + optionFor(key, {});
    }
    const std::string how = kind == TaskKind::TextToImage ? "without" : "with";
    if (!left.empty()) noteLike(how + " --init left out: " + left);
}

}  // namespace

void declareGenerateOptions(QCommandLineParser &parser)
{
    parser.setApplicationDescription(
        name("Draws pictures and exits: 0 done, 2 wrong usage, 3 no such or no usable model, 4 failed, 5 cancelled."));
    addDataOptions(parser);
    const ParamTable &table = ParamTable::standard();
    for (const ParamOption &option : kParams) {
        const ParamValue &form = table.find(option.key)->formValue;
        const std::string shown =
            std::holds_alternative<std::string>(form) ? std::get<std::string>(form) : dumpJson(toJson(form));
        parser.addOption({name(option.option), name(option.help), name("value"), QString::fromStdString(shown)});
    }
    for (const ParamOption &option : kPictureParams)
        parser.addOption({name(option.option), QString::fromUtf8(option.help), name("value")});
    for (const FlagOption &option : kFlags)
        parser.addOption({name(option.option), name(option.help)});
    parser.addOption({name("set"), name("Any other field of docs/parameters.md; several times."), name("field=value")});
    parser.addOption({name("init"), name("Start picture; several times: one of a batch each."), name("file")});
    parser.addOption(
        {name("like"), name("Picture of ours or A1111's: its infotext says what no other option does."), name("file")});
    parser.addOption({name("mask"), name("Picture whose white part is drawn anew."), name("file")});
    parser.addOption({name("latent-mask"), name("Another mask for the latents, beside --mask."), name("file")});
    parser.addOption(
        {name("model"), name("Name or file of the checkpoint; normally the first there is."), name("name")});
    parser.addOption({{name("o"), name("output")},
                      name("File to write; {n} and {seed} are replaced."),
                      name("file"),
                      name("out.png")});
    parser.addOption({name("json"), name("One JSON object on stdout instead of file names.")});
    addEngineOptions(parser);
}

Expected<Json> generateBody(const QCommandLineParser &parser)
{
    const ParamTable &table = ParamTable::standard();
    const Expected<Json> like = bodyLike(parser);
    if (!like) return like;
    const Expected<Json> given = bodyGiven(parser, table);
    if (!given) return given;
    Json body = *like;
    body.update(*given);
    for (const ParamOption &option : kParams) {
        const std::string_view key = option.key;
        if (body.contains(key) || key == "width" || key == "height") continue;
        Expected<Json> value = valueOf(option, *table.find(key), parser.value(name(option.option)).toStdString());
        if (!value) return Unexpected{value.error()};
        body[option.key] = std::move(*value);
    }
    if (parser.isSet(name("mask")))
        // What the form would begin with, not the API's older defaults.
        for (const char *key : {"inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding"})
            if (!body.contains(key)) body[key] = toJson(table.find(key)->formValue);
    if (Expected<void> added = addPictures(parser, body); !added) return Unexpected{added.error()};
    if (Expected<void> kind = checkKind(*given, settingKeys(parser), body); !kind) return Unexpected{kind.error()};
    leaveOut(*like, *given, body);
    return body;
}

std::vector<std::string> settingKeys(const QCommandLineParser &parser)
{
    std::vector<std::string> keys;
    for (const QString &setting : parser.values(name("set")))
        keys.push_back(setting.section(QLatin1Char('='), 0, 0).toStdString());
    return keys;
}

std::string inOptionWords(const Error &error, const std::vector<std::string> &settings)
{
    // Of a word or of a path, whose parts are no fields.
    const auto isPart = [](char c) {
        return QChar::fromLatin1(c).isLetterOrNumber() || c == '_' || c == '/' || c == '-';
    };
    const std::string &text = error.message;
    std::string said;
    bool quoted = false;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        while (at < text.size() && isPart(text[at]))
            ++at;
        const std::string_view word = std::string_view(text).substr(begin, at - begin);
        // Fields such as "mask" and "steps" are words as well: only where the sentence begins they are fields.
        const bool meant = begin == 0 ? word == error.subject : word.find('_') != std::string_view::npos;
        const bool field = meant && !quoted && ParamTable::standard().find(word);
        said += field ? optionFor(word, settings) : std::string(word);
        if (at == text.size()) break;
        quoted = quoted != (text[at] == '"');
        said += text[at++];
    }
    return said;
}

}  // namespace sg::daemon
