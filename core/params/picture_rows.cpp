#include "core/params/picture_rows.h"

#include "core/params/param_table.h"
#include "core/params/samplers.h"

#include <array>
#include <utility>

namespace sg {
namespace {

constexpr std::array<const char *, 4> kOutpaintKeys{"outpaint_left", "outpaint_right", "outpaint_up", "outpaint_down"};

using Names = std::vector<std::string>;

ParamSpec row(ParamType type, const char *key, const char *label, const char *help, ParamValue value, ParamValue form)
{
    ParamSpec spec;
    spec.type = type;
    spec.key = key;
    spec.label = label;
    spec.help = help;
    spec.defaultValue = std::move(value);
    spec.formValue = std::move(form);
    return spec;
}

ParamSpec flag(const char *key, const char *label, const char *help, bool value, bool form)
{
    return row(ParamType::Flag, key, label, help, value, form);
}

ParamSpec integer(const char *key, const char *label, const char *help, std::int64_t value, std::int64_t form,
                  double minimum, double maximum, const char *unit = "")
{
    ParamSpec spec = row(ParamType::Integer, key, label, help, value, form);
    spec.minimum = minimum;
    spec.maximum = maximum;
    spec.unit = unit;
    return spec;
}

/// Numbers from 0 on, each with a name.
ParamSpec named(const char *key, const char *label, const char *help, std::int64_t value, std::int64_t form,
                Names names)
{
    ParamSpec spec = integer(key, label, help, value, form, 0, static_cast<double>(names.size()) - 1);
    spec.choices = std::move(names);
    return spec;
}

ParamSpec number(const char *key, const char *label, const char *help, double value, double minimum, double maximum,
                 double step)
{
    ParamSpec spec = row(ParamType::Number, key, label, help, value, value);
    spec.minimum = minimum;
    spec.maximum = maximum;
    spec.step = step;
    return spec;
}

ParamSpec choice(const char *key, const char *label, const char *help, const char *value, Names names)
{
    ParamSpec spec = row(ParamType::Choice, key, label, help, std::string(value), std::string(value));
    spec.maximum = 255;
    spec.choices = std::move(names);
    return spec;
}

ParamSpec text(const char *key, const char *label, const char *help)
{
    ParamSpec spec = row(ParamType::Text, key, label, help, std::string(), std::string());
    spec.maximum = kMostTextBytes;
    return spec;
}

ParamSpec inInfotext(ParamSpec spec, const char *key, Names values = {}, bool always = false)
{
    spec.infotextKey = key;
    spec.infotextValues = std::move(values);
    spec.infotextAlways = always;
    return spec;
}

std::vector<ParamSpec> maskRows()
{
    std::vector<ParamSpec> rows{
        inInfotext(named("inpainting_mask_invert", "Mask mode", "Which part is drawn anew.", 0, 0,
                         {"Inpaint masked", "Inpaint not masked"}),
                   "Mask mode", {"", "Inpaint not masked"}),
        inInfotext(integer("mask_blur", "Mask blur", "How softly the mask ends.", 4, 4, 0, 64, "px"), "Mask blur", {},
                   true),
        inInfotext(integer("mask_blur_x", "Mask blur, across", "Of its own for this direction; -1 is the mask blur.",
                           -1, -1, -1, 64, "px"),
                   "Mask blur x"),
        inInfotext(integer("mask_blur_y", "Mask blur, down", "Of its own for this direction; -1 is the mask blur.", -1,
                           -1, -1, 64, "px"),
                   "Mask blur y"),
        inInfotext(flag("inpaint_full_res", "Only the masked area",
                        "Draws the masked part alone at the full size and puts it back.", true, false),
                   "Inpaint area", {"", "Only masked"}),
        inInfotext(integer("inpaint_full_res_padding", "Padding", "How much of its surroundings that part sees.", 0, 32,
                           0, 256, "px"),
                   "Masked area padding", {}, true),
        inInfotext(named("inpainting_fill", "Masked content", "What the masked part is filled with before drawing.", 0,
                         1, {"Fill", "Original", "Latent noise", "Latent nothing"}),
                   "Masked content", {"fill", "", "latent noise", "latent nothing"}),
        inInfotext(
            flag("mask_round", "Hard mask in the latents", "Off lets half-masked places be drawn half.", true, true),
            "Mask rounding"),
    };
    for (ParamSpec &spec : rows) {
        spec.onlyWith = {"mask"};
        if (spec.key == "inpaint_full_res_padding") spec.onlyWith = {"inpaint_full_res"};
        const bool whole = spec.key == "inpaint_full_res" || spec.key == "inpainting_mask_invert";
        if (!whole && spec.key != "inpaint_full_res_padding")
            spec.onlyWith.insert(spec.onlyWith.end(), kOutpaintKeys.begin(), kOutpaintKeys.end());
    }
    return rows;
}

std::vector<ParamSpec> softInpaintingRows()
{
    std::vector<ParamSpec> rows{
        inInfotext(flag("soft_inpainting", "Soft inpainting",
                        "Half-masked places are drawn half, and what hardly changed stays; wants a wide mask blur.",
                        false, false),
                   "Soft inpainting enabled"),
        inInfotext(number("soft_schedule_bias", "Schedule bias",
                          "Above 1 the start is kept early in the drawing, below 1 late.", 1, 0, 8, 0.1),
                   "Soft inpainting schedule bias"),
        inInfotext(number("soft_preservation_strength", "Preservation strength",
                          "How strongly half-masked places keep the start.", 0.5, 0, 8, 0.05),
                   "Soft inpainting preservation strength"),
        inInfotext(number("soft_contrast_boost", "Transition contrast boost",
                          "Brings back the contrast that half-masked places lose.", 4, 1, 32, 0.5),
                   "Soft inpainting transition contrast boost"),
        inInfotext(number("soft_mask_influence", "Mask influence", "How much the mask bends the difference threshold.",
                          0, 0, 1, 0.05),
                   "Soft inpainting mask influence"),
        inInfotext(number("soft_difference_threshold", "Difference threshold",
                          "How much a place may change before its start is hidden.", 0.5, 0, 8, 0.25),
                   "Soft inpainting difference threshold"),
        inInfotext(
            number("soft_difference_contrast", "Difference contrast", "How sharply what changed ends.", 2, 0, 8, 0.25),
            "Soft inpainting difference contrast"),
    };
    for (ParamSpec &spec : rows) {
        spec.onlyWith = {"soft_inpainting"};
        spec.infotextAlways = true;
    }
    rows.front().onlyWith = {"mask"};
    rows.front().onlyWith.insert(rows.front().onlyWith.end(), kOutpaintKeys.begin(), kOutpaintKeys.end());
    rows.front().infotextAlways = false;
    return rows;
}

std::vector<ParamSpec> outpaintingRows()
{
    const std::array<const char *, 4> labels{"Outpaint left", "Outpaint right", "Outpaint up", "Outpaint down"};
    std::vector<ParamSpec> rows;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        rows.push_back(
            inInfotext(integer(kOutpaintKeys[i], labels[i],
                               "How far the picture grows there; its width and height follow.", 0, 0, 0, 1024, "px"),
                       labels[i]));
        rows.back().step = 8;
    }
    return rows;
}

std::vector<ParamSpec> loopbackRows()
{
    std::vector<ParamSpec> rows{
        integer("loopback_loops", "Loopback", "How often the result becomes the start again; 0 draws once.", 0, 0, 0,
                32),
        number("loopback_final_strength", "Final denoising strength", "That of the last loop.", 0.5, 0, 1, 0.01),
        choice("loopback_curve", "Denoising curve", "How the strength goes from the first loop to the last.", "Linear",
               {"Aggressive", "Linear", "Lazy"}),
    };
    for (ParamSpec &spec : rows)
        if (spec.key != "loopback_loops") spec.onlyWith = {"loopback_loops"};
    return rows;
}

std::vector<ParamSpec> alternativeNoiseRows()
{
    std::vector<ParamSpec> rows{
        inInfotext(flag("alternative_noise", "Alternative noise",
                        "Searches in the start picture for the noise that it comes from, instead of drawing one.",
                        false, false),
                   "Alternative noise"),
        inInfotext(text("decode_prompt", "Decode prompt", "What the start picture shows."), "Decode prompt"),
        inInfotext(text("decode_negative_prompt", "Decode negative prompt", "What the start picture does not show."),
                   "Decode negative prompt"),
        inInfotext(number("decode_cfg_scale", "Decode CFG scale", "Guidance of the search; 2 or less is usual.", 1, 0,
                          15, 0.1),
                   "Decode CFG scale", {}, true),
        inInfotext(integer("decode_steps", "Decode steps", "Of the search.", 50, 50, 1,
                           static_cast<double>(ParamLimits{}.steps)),
                   "Decode steps", {}, true),
        inInfotext(number("decode_randomness", "Randomness", "The share of drawn noise in that which was found.", 0, 0,
                          1, 0.01),
                   "Randomness", {}, true),
        inInfotext(flag("decode_sigma_adjustment", "Sigma adjustment",
                        "Searches with each step's lower noise level, and leaves the noise its size.", false, false),
                   "Sigma Adjustment", {}, true),
    };
    for (ParamSpec &spec : rows)
        if (spec.key != "alternative_noise") spec.onlyWith = {"alternative_noise"};
    return rows;
}

ParamSpec upscalerRow()
{
    ParamSpec spec = inInfotext(choice("upscaler_for_img2img", "Upscaler",
                                       "How start pictures are made larger, where they are smaller than what is drawn.",
                                       "None", {"None", "Lanczos", "Nearest"}),
                                "Upscaler for img2img");
    spec.modelType = "upscaler";
    return spec;
}

ParamSpec maskWeightRow()
{
    return inInfotext(number("inpainting_mask_weight", "Mask weight",
                             "How far an inpainting model is kept from seeing what the mask covers.", 1, 0, 1, 0.05),
                      "Conditional mask weight");
}

bool isSetting(const std::string &key)
{
    return key.starts_with("img2img_") || key == "initial_noise_multiplier" || key == "inpainting_mask_weight" ||
           key == "upscaler_for_img2img";
}

}  // namespace

std::vector<ParamSpec> imageToImageRows()
{
    ParamSpec pictures =
        row(ParamType::Pictures, "init_images", "Start picture",
            "The picture that the drawing starts from; several are drawn as one batch.", Names{}, Names{});
    pictures.maximum = static_cast<double>(ParamLimits{}.batchSize);
    ParamSpec mask =
        row(ParamType::Picture, "mask", "Mask", "White is drawn anew, black stays; of the start picture's shape.",
            std::string(), std::string());
    ParamSpec latentMask =
        row(ParamType::Picture, "latent_mask", "Latent mask",
            "White is drawn anew in the latents, where that is not what the mask shows.", std::string(), std::string());
    latentMask.onlyWith = {"mask"};
    std::vector<ParamSpec> rows{
        pictures,
        inInfotext(number("denoising_strength", "Denoising strength",
                          "How far the result may move away from the start: 0 keeps it, 1 forgets it.", 0.75, 0, 1,
                          0.01),
                   "Denoising strength", {}, true),
        inInfotext(named("resize_mode", "Resize mode", "What happens to a start picture of another shape.", 0, 0,
                         {"Just resize", "Crop and resize", "Resize and fill", "Just resize (latent upscale)"}),
                   "Resize mode", {"", "Crop and resize", "Resize and fill", "Just resize (latent upscale)"}),
        upscalerRow(),
        mask,
        latentMask,
        inInfotext(number("initial_noise_multiplier", "Noise multiplier", "Scales the noise that is laid on the start.",
                          1, 0, 1.5, 0.01),
                   "Noise multiplier"),
        inInfotext(number("img2img_extra_noise", "Extra noise", "Noise laid on beyond what the strength asks for.", 0,
                          0, 1, 0.01),
                   "Extra noise"),
        inInfotext(number("image_cfg_scale", "Image CFG scale",
                          "How closely an editing model (instruct-pix2pix) keeps to the picture; 1.5 is usual.", 1, 0,
                          10, 0.05),
                   "Image CFG scale"),
        maskWeightRow(),
        inInfotext(flag("img2img_color_correction", "Colours of the start picture",
                        "The result gets the colours of the start picture back.", false, false),
                   "Color correction"),
        inInfotext(flag("img2img_fix_steps", "Exactly the steps asked for",
                        "Otherwise only the strength's share of them is made.", false, false),
                   "Exact steps"),
    };
    std::vector<ParamSpec> ofMask = maskRows();
    for (ParamSpec &spec : softInpaintingRows())
        ofMask.push_back(std::move(spec));
    rows.insert(rows.begin() + 6, ofMask.begin(), ofMask.end());
    for (const auto more : {outpaintingRows, loopbackRows, alternativeNoiseRows})
        for (ParamSpec &spec : more())
            rows.push_back(std::move(spec));
    for (ParamSpec &spec : rows) {
        spec.group = ParamGroup::ImageToImage;
        // These are settings in A1111; its clients send them in override_settings.
        spec.option = isSetting(spec.key);
        spec.textToImage = spec.key == "denoising_strength" || spec.key == "img2img_extra_noise";
        if (spec.key == "denoising_strength" || spec.key == "img2img_extra_noise")
            spec.onlyWith = {"init_images", "enable_hr"};
        else if (spec.key != "init_images" && spec.onlyWith.empty())
            spec.onlyWith = {"init_images"};
    }
    return rows;
}

std::vector<ParamSpec> hiresFixRows()
{
    Names samplerNames{kSameSampler};
    for (const SamplerSpec &sampler : samplers())
        samplerNames.push_back(sampler.name);
    Names scheduleNames{kSameSchedule};
    for (const ScheduleSpec &schedule : schedules())
        scheduleNames.push_back(schedule.label);
    const double side = static_cast<double>(ParamLimits{}.side);
    ParamSpec resizeX =
        integer("hr_resize_x", "Hires width", "Instead of the factor; 0 keeps the proportions.", 0, 0, 0, side, "px");
    ParamSpec resizeY =
        integer("hr_resize_y", "Hires height", "Instead of the factor; 0 keeps the proportions.", 0, 0, 0, side, "px");
    // Any size may be asked for, as in A1111; what is drawn is the next smaller multiple of 8 (HiresSize).
    resizeX.step = resizeY.step = 8;
    std::vector<ParamSpec> rows{
        flag("enable_hr", "Hires fix", "Draws small first, then larger from there.", false, false),
        inInfotext(choice("hr_sampler_name", "Hires sampler", "Sampler of the second pass.", kSameSampler,
                          std::move(samplerNames)),
                   "Hires sampler"),
        inInfotext(text("hr_prompt", "Hires prompt", "Of the second pass; empty is the prompt."), "Hires prompt"),
        inInfotext(text("hr_checkpoint_name", "Hires checkpoint", "Draws the second pass; empty is the first pass's."),
                   "Hires checkpoint"),
        inInfotext(
            text("hr_negative_prompt", "Hires negative prompt", "Of the second pass; empty is the negative prompt."),
            "Hires negative prompt"),
        inInfotext(choice("hr_scheduler", "Hires schedule", "Schedule of the second pass.", kSameSchedule,
                          std::move(scheduleNames)),
                   "Hires schedule type"),
        inInfotext(number("hr_scale", "Hires factor", "How much larger the second pass draws.", 2, 1, 4, 0.05),
                   "Hires upscale", {}, true),
        resizeX,
        resizeY,
        inInfotext(integer("hr_second_pass_steps", "Hires steps", "Of the second pass; 0 is as many as the first.", 0,
                           0, 0, static_cast<double>(ParamLimits{}.steps)),
                   "Hires steps"),
        inInfotext(choice("hr_upscaler", "Hires upscaler", "How the small picture or its latents are made larger.",
                          "Latent",
                          {"Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)",
                           "Latent (nearest)", "Latent (nearest-exact)", "None", "Lanczos", "Nearest"}),
                   "Hires upscaler", {}, true),
    };
    rows.back().modelType = "upscaler";
    for (ParamSpec &spec : rows) {
        spec.group = ParamGroup::HiresFix;
        spec.imageToImage = false;
        if (spec.key != "enable_hr") spec.onlyWith = {"enable_hr"};
    }
    return rows;
}

}  // namespace sg
