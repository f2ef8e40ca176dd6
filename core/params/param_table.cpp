#include "core/params/param_table.h"

#include "core/params/coding_rows.h"
#include "core/params/picture_rows.h"
#include "core/params/sampler_rows.h"
#include "core/params/samplers.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>

namespace sg {
namespace {

constexpr std::size_t kMaxPictureName = 1000;    // of an object in the store, or of a file
constexpr double kMaxSeed = 9007199254740991.0;  // 2^53 - 1: exact in every client's numbers

std::string shortNumber(double value)
{
    // All digits of a whole number: a bound that is rounded is another bound.
    if (value == std::floor(value) && std::abs(value) <= kMaxSeed)
        return std::to_string(static_cast<std::int64_t>(value));
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", value);
    return text;
}

Unexpected refuse(const ParamSpec &spec, const std::string &rule)
{
    return fail(ErrorCode::InvalidArgument, spec.key + " must be " + rule, spec.key);
}

std::string rangeRule(const ParamSpec &spec)
{
    return (spec.type == ParamType::Integer ? "a whole number between " : "a number between ") +
           shortNumber(spec.minimum) + " and " + shortNumber(spec.maximum);
}

Expected<void> checkRange(const ParamSpec &spec, double value)
{
    if (std::isfinite(value) && value >= spec.minimum && value <= spec.maximum) return {};
    return refuse(spec, rangeRule(spec));
}

Expected<void> checkText(const ParamSpec &spec, const std::string &value)
{
    if (spec.maximum > 0 && value.size() > static_cast<std::size_t>(spec.maximum))
        return refuse(spec, "at most " + shortNumber(spec.maximum) + " bytes");
    if (spec.type != ParamType::Choice || spec.choices.empty() || !spec.modelType.empty()) return {};
    if (std::find(spec.choices.begin(), spec.choices.end(), value) != spec.choices.end()) return {};
    return refuse(spec, "one of the known names, not \"" + value.substr(0, 80) + "\"");
}

std::vector<std::string> samplerNames()
{
    std::vector<std::string> names;
    for (const SamplerSpec &sampler : samplers())
        names.push_back(sampler.name);
    return names;
}

std::vector<std::string> scheduleLabels()
{
    std::vector<std::string> labels;
    for (const ScheduleSpec &schedule : schedules())
        labels.push_back(schedule.label);
    return labels;
}

std::vector<ParamSpec> textToImageSpecs()
{
    using T = ParamType;
    using G = ParamGroup;
    const auto text = [](std::string key, std::string label, std::string help, G group) {
        return ParamSpec{.key = std::move(key),
                         .label = std::move(label),
                         .help = std::move(help),
                         .group = group,
                         .type = T::Text,
                         .defaultValue = std::string(),
                         .formValue = std::string(),
                         .maximum = kMostTextBytes,
                         .unit = {},
                         .choices = {},
                         .infotextKey = {}};
    };
    const auto choice = [](std::string key, std::string label, std::string help, G group, std::string value,
                           std::vector<std::string> choices, std::string infotext) {
        return ParamSpec{.key = std::move(key),
                         .label = std::move(label),
                         .help = std::move(help),
                         .group = group,
                         .type = T::Choice,
                         .defaultValue = value,
                         .formValue = value,
                         .maximum = 255,
                         .unit = {},
                         .choices = std::move(choices),
                         .infotextKey = std::move(infotext)};
    };
    const auto integer = [](std::string key, std::string label, std::string help, G group, std::int64_t value,
                            std::int64_t form, double min, double max, std::int64_t multiple, std::string unit,
                            std::string infotext) {
        return ParamSpec{.key = std::move(key),
                         .label = std::move(label),
                         .help = std::move(help),
                         .group = group,
                         .type = T::Integer,
                         .defaultValue = value,
                         .formValue = form,
                         .minimum = min,
                         .maximum = max,
                         .step = static_cast<double>(multiple),
                         .multipleOf = multiple,
                         .unit = std::move(unit),
                         .choices = {},
                         .infotextKey = std::move(infotext)};
    };
    const auto number = [](std::string key, std::string label, std::string help, G group, double value, double form,
                           double min, double max, double step, std::string infotext) {
        return ParamSpec{.key = std::move(key),
                         .label = std::move(label),
                         .help = std::move(help),
                         .group = group,
                         .type = T::Number,
                         .defaultValue = value,
                         .formValue = form,
                         .minimum = min,
                         .maximum = max,
                         .step = step,
                         .unit = {},
                         .choices = {},
                         .infotextKey = std::move(infotext)};
    };
    const auto flag = [](std::string key, std::string label, std::string help, G group, std::string infotext) {
        return ParamSpec{.key = std::move(key),
                         .label = std::move(label),
                         .help = std::move(help),
                         .group = group,
                         .type = T::Flag,
                         .defaultValue = false,
                         .formValue = false,
                         .unit = {},
                         .choices = {},
                         .infotextKey = std::move(infotext)};
    };
    const ParamLimits limits;
    const auto side = static_cast<double>(limits.side);
    return {
        text("prompt", "Prompt", "What the picture shows. (word:1.2) weighs more, [word] less.", G::Prompt),
        text("negative_prompt", "Negative prompt", "What the picture should not show.", G::Prompt),
        choice("stable_diffusion_model", "Model", "The checkpoint that draws.", G::Model, "", {}, "Model"),
        choice("sampler_name", "Sampler", "How noise is taken away, step by step.", G::Sampling, "Euler",
               samplerNames(), "Sampler"),
        choice("scheduler", "Schedule", "How the noise levels are spread over the steps.", G::Sampling, "Automatic",
               scheduleLabels(), "Schedule type"),
        integer("steps", "Steps", "More steps take longer and change less and less.", G::Sampling, 50, 20, 1,
                static_cast<double>(limits.steps), 1, "", "Steps"),
        number("cfg_scale", "CFG scale", "How closely the picture follows the prompt; 1 switches guidance off.",
               G::Sampling, 7, 5, 0, 100, 0.5, "CFG scale"),
        integer("width", "Width", "Width of the picture.", G::Size, 512, 512, 8, side, 8, "px", ""),
        integer("height", "Height", "Height of the picture.", G::Size, 512, 512, 8, side, 8, "px", ""),
        integer("seed", "Seed", "The same seed and parameters give the same picture; -1 takes a new one.", G::Seed, -1,
                -1, -1, kMaxSeed, 1, "", "Seed"),
        integer("subseed", "Variation seed", "The seed that a variation moves towards; -1 takes a new one.", G::Seed,
                -1, -1, -1, kMaxSeed, 1, "", "Variation seed"),
        number("subseed_strength", "Variation strength", "0 is the seed's picture, 1 the variation seed's.", G::Seed, 0,
               0, 0, 1, 0.01, "Variation seed strength"),
        integer("batch_size", "Batch size", "Pictures computed together.", G::Batch, 1, 1, 1,
                static_cast<double>(limits.batchSize), 1, "", ""),
        integer("n_iter", "Batch count", "How often the batch is repeated.", G::Batch, 1, 1, 1,
                static_cast<double>(limits.iterations), 1, "", ""),
        number("eta", "Eta",
               "Noise added again at each step; -1 is the sampler's own: 1 for ancestral ones, 0 for DDIM.",
               G::Sampling, -1, -1, -1, 1, 0.05, "Eta"),
        [&] {
            ParamSpec vae = text(
                "sd_vae", "VAE",
                "The autoencoder: the name of a file, Automatic for the one beside the checkpoint, None for its own.",
                G::Model);
            vae.defaultValue = vae.formValue = std::string("Automatic");
            vae.infotextKey = "VAE";
            return vae;
        }(),
        [&] {
            ParamSpec refiner = text("refiner_checkpoint", "Refiner",
                                     "A checkpoint that makes the last steps; empty is none.", G::Model);
            refiner.infotextKey = "Refiner";
            return refiner;
        }(),
        [&] {
            ParamSpec at = number("refiner_switch_at", "Refiner from",
                                  "How far the noise must have gone before the refiner takes over: 1 is never.",
                                  G::Model, 0.8, 0.8, 0, 1, 0.05, "Refiner switch at");
            at.onlyWith = {"refiner_checkpoint"};
            at.infotextAlways = true;
            return at;
        }(),
        text("styles", "Styles", "Names of styles to put around the prompts, joined by commas.", G::Model),
        choice("emphasis", "Emphasis",
               "What becomes of weights: Original keeps the mean, No norm does not, Ignore leaves them out, None reads "
               "brackets as text.",
               G::Sampling, "Original", {"Original", "None", "Ignore", "No norm"}, "Emphasis"),
        integer("clip_skip", "Clip skip", "Which layer of the text encoder is read, counted from the last.",
                G::Sampling, 1, 1, 1, 12, 1, "", "Clip skip"),
        integer("comma_padding_backtrack", "Comma backtracking",
                "How many tokens before the end of a chunk a comma may be to move what follows it.", G::Sampling, 20,
                20, 0, 74, 1, "", "Comma backtracking"),
        flag("pad_cond_uncond", "Equal lengths",
             "Fills the shorter of prompt and negative prompt up with empty chunks.", G::Sampling, "Pad conds"),
        flag("disable_extra_networks", "Without LoRAs", "The LoRA tags of the prompts are read and not followed.",
             G::Model, "Extra networks disabled"),
        number("cfg_rescale", "CFG rescale", "Takes back what strong guidance does to contrast; 0 switches it off.",
               G::Sampling, 0, 0, 0, 1, 0.05, "CFG rescale"),
        number("cfg_start", "Guidance from", "The share of the steps after which guidance begins.", G::Sampling, 0, 0,
               0, 1, 0.05, "CFG start"),
        number("cfg_end", "Guidance until", "The share of the steps after which guidance ends.", G::Sampling, 1, 1, 0,
               1, 0.05, "CFG end"),
        number("skip_early_cond", "Skip early guidance", "No guidance in this share of the steps at the beginning.",
               G::Sampling, 0, 0, 0, 1, 0.05, "Skip Early CFG"),
        number("s_min_uncond", "Negative guidance minimum sigma",
               "Below this noise level every second step goes without the negative prompt, which is faster.",
               G::Sampling, 0, 0, 0, 15, 0.1, "NGMS"),
        flag("s_min_uncond_all", "Minimum sigma for all steps",
             "Below that level every step goes without the negative prompt.", G::Sampling, "NGMS all steps"),
    };
}

/// Settings in A1111: its clients send them in override_settings.
constexpr std::array<std::string_view, 8> kSettings{
    "sd_vae",          "emphasis",        "clip_skip",    "comma_padding_backtrack",
    "pad_cond_uncond", "skip_early_cond", "s_min_uncond", "s_min_uncond_all"};

}  // namespace

bool asksForSomething(const ParamValue &value)
{
    struct Asks {
        bool operator()(bool flag) const { return flag; }
        bool operator()(std::int64_t number) const { return number > 0; }
        bool operator()(double number) const { return number > 0; }
        bool operator()(const std::string &text) const { return !text.empty(); }
        bool operator()(const std::vector<std::string> &list) const { return !list.empty(); }
    };
    return std::visit(Asks{}, value);
}

const ParamTable &ParamTable::standard()
{
    static const ParamTable table = [] {
        ParamTable made;
        for (ParamSpec &spec : textToImageSpecs()) {
            spec.option = std::find(kSettings.begin(), kSettings.end(), spec.key) != kSettings.end();
            made.add(std::move(spec));
        }
        for (ParamSpec &spec : samplerRows())
            made.add(std::move(spec));
        for (ParamSpec &spec : codingRows())
            made.add(std::move(spec));
        for (ParamSpec &spec : imageToImageRows())
            made.add(std::move(spec));
        for (ParamSpec &spec : hiresFixRows())
            made.add(std::move(spec));
        return made;
    }();
    return table;
}

const ParamTable &ParamTable::textToImage()
{
    static const ParamTable table = standard().only(TaskKind::TextToImage);
    return table;
}

const ParamTable &ParamTable::imageToImage()
{
    static const ParamTable table = standard().only(TaskKind::ImageToImage);
    return table;
}

ParamTable ParamTable::only(TaskKind kind) const
{
    ParamTable table = *this;
    std::erase_if(table.m_specs, [kind](const ParamSpec &spec) {
        return kind == TaskKind::TextToImage ? !spec.textToImage : !spec.imageToImage;
    });
    return table;
}

ParamTable ParamTable::limited(const ParamLimits &limits) const
{
    ParamTable table = *this;
    table.m_limits = limits;
    for (ParamSpec &spec : table.m_specs) {
        const auto cap = [&](std::int64_t maximum) {
            spec.maximum = static_cast<double>(std::max(maximum, static_cast<std::int64_t>(spec.minimum)));
            for (ParamValue *value : {&spec.defaultValue, &spec.formValue})
                *value = std::min(std::get<std::int64_t>(*value), static_cast<std::int64_t>(spec.maximum));
        };
        if (spec.key == "width" || spec.key == "height" || spec.key == "hr_resize_x" || spec.key == "hr_resize_y")
            cap(limits.side / spec.multipleOf * spec.multipleOf);
        if (spec.key == "steps" || spec.key == "hr_second_pass_steps" || spec.key == "decode_steps") cap(limits.steps);
        if (spec.key == "batch_size") cap(limits.batchSize);
        if (spec.key == "n_iter") cap(limits.iterations);
    }
    return table;
}

void ParamTable::add(ParamSpec spec)
{
    assert(!find(spec.key));
    assert(checkValue(spec, spec.defaultValue) && checkValue(spec, spec.formValue));
    m_specs.push_back(std::move(spec));
}

const ParamSpec *ParamTable::find(std::string_view key) const
{
    const auto it =
        std::find_if(m_specs.begin(), m_specs.end(), [&](const ParamSpec &spec) { return spec.key == key; });
    return it == m_specs.end() ? nullptr : &*it;
}

Expected<void> checkValue(const ParamSpec &spec, const ParamValue &value)
{
    switch (spec.type) {
    case ParamType::Flag:
        if (!std::holds_alternative<bool>(value)) return refuse(spec, "true or false");
        return {};
    case ParamType::Integer: {
        const auto *whole = std::get_if<std::int64_t>(&value);
        if (!whole) return refuse(spec, rangeRule(spec));
        if (Expected<void> range = checkRange(spec, static_cast<double>(*whole)); !range) return range;
        if (spec.multipleOf > 1 && *whole % spec.multipleOf != 0)
            return refuse(spec, "a multiple of " + std::to_string(spec.multipleOf));
        return {};
    }
    case ParamType::Number: {
        const auto *number = std::get_if<double>(&value);
        if (!number) return refuse(spec, rangeRule(spec));
        return checkRange(spec, *number);
    }
    case ParamType::Text:
    case ParamType::Choice: {
        const auto *textValue = std::get_if<std::string>(&value);
        if (!textValue) return refuse(spec, spec.key == "styles" ? "a text or a list of texts" : "a text");
        return checkText(spec, *textValue);
    }
    case ParamType::Picture: {
        const auto *name = std::get_if<std::string>(&value);
        if (!name || name->size() > kMaxPictureName) return refuse(spec, "one picture");
        return {};
    }
    case ParamType::Pictures: {
        const auto *names = std::get_if<std::vector<std::string>>(&value);
        if (!names) return refuse(spec, "a list of pictures");
        if (names->size() > static_cast<std::size_t>(spec.maximum))
            return refuse(spec, "at most " + shortNumber(spec.maximum) + " pictures");
        for (const std::string &name : *names)
            if (name.empty() || name.size() > kMaxPictureName) return refuse(spec, "a list of pictures");
        return {};
    }
    }
    return {};
}

}  // namespace sg
