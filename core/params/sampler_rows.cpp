#include "core/params/sampler_rows.h"

#include <utility>

namespace sg {
namespace {

constexpr double kMostSigma = 5000;

ParamSpec row(ParamGroup group, const char *key, const char *label, const char *help, const char *infotext)
{
    ParamSpec spec;
    spec.group = group;
    spec.key = key;
    spec.label = label;
    spec.help = help;
    spec.infotextKey = infotext;
    return spec;
}

ParamSpec number(const char *key, const char *label, const char *help, double value, double maximum, double step,
                 const char *infotext)
{
    ParamSpec spec = row(ParamGroup::Sampling, key, label, help, infotext);
    spec.type = ParamType::Number;
    spec.defaultValue = spec.formValue = value;
    spec.maximum = maximum;
    spec.step = step;
    return spec;
}

ParamSpec flag(const char *key, const char *label, const char *help, const char *infotext)
{
    ParamSpec spec = row(ParamGroup::Sampling, key, label, help, infotext);
    spec.type = ParamType::Flag;
    spec.defaultValue = spec.formValue = false;
    return spec;
}

ParamSpec integer(ParamGroup group, const char *key, const char *label, const char *help, std::int64_t value,
                  double minimum, double maximum, const char *infotext)
{
    ParamSpec spec = row(group, key, label, help, infotext);
    spec.type = ParamType::Integer;
    spec.defaultValue = spec.formValue = value;
    spec.minimum = minimum;
    spec.maximum = maximum;
    return spec;
}

/// The first choice is the default.
ParamSpec choice(ParamSpec spec, std::vector<std::string> choices)
{
    spec.type = ParamType::Choice;
    spec.defaultValue = spec.formValue = choices.front();
    spec.maximum = 255;
    spec.choices = std::move(choices);
    return spec;
}

ParamSpec lowerOrderFinal()
{
    ParamSpec spec =
        flag("uni_pc_lower_order_final", "UniPC lower order final",
             "UniPC looks back less in its last steps, which is steadier with few of them.", "UniPC lower order final");
    spec.defaultValue = spec.formValue = true;
    return spec;
}

ParamSpec refinerBySteps()
{
    ParamSpec spec =
        flag("refiner_switch_by_sample_steps", "Refiner by steps",
             "The refiner takes over by the share of the steps, not of the noise levels, as in A1111 before 1.8.",
             "Refiner switch by sampling steps");
    spec.group = ParamGroup::Model;
    spec.onlyWith = {"refiner_checkpoint"};
    return spec;
}

ParamSpec refinerPass()
{
    ParamSpec spec = choice(row(ParamGroup::HiresFix, "hires_fix_refiner_pass", "Refiner in",
                                "The pass of hires fix that the refiner finishes.", "Hires refiner"),
                            {"second pass", "first pass", "both passes"});
    spec.onlyWith = {"refiner_checkpoint"};
    spec.imageToImage = false;
    return spec;
}

ParamSpec randomSource()
{
    return choice(row(ParamGroup::Seed, "randn_source", "Random numbers",
                      "CPU draws the same everywhere; NV draws an NVIDIA GPU's numbers on any machine.", "RNG"),
                  {"CPU", "NV", "GPU"});
}

/// Levels, timelines and refiners as they are not by default, which old pictures of A1111 want.
std::vector<ParamSpec> compatibilityRows()
{
    return {choice(row(ParamGroup::Sampling, "sd_noise_schedule", "Noise schedule",
                       "Zero Terminal SNR stretches the model's noise levels until the last is all noise.",
                       "Noise Schedule"),
                   {"Default", "Zero Terminal SNR"}),
            flag("use_downcasted_alpha_bar", "Half precision levels",
                 "Rounds the model's noise levels as A1111 did before 1.7, for its old pictures.",
                 "Downcast alphas_cumprod"),
            flag("use_old_scheduling", "Old prompt timelines",
                 "Numbers in [from:to:when] as in A1111 before 1.6: below 1 a share of the steps, else a step.",
                 "Old prompt editing timelines"),
            refinerBySteps(), refinerPass()};
}

}  // namespace

std::vector<ParamSpec> samplerRows()
{
    constexpr auto kSeed = ParamGroup::Seed;
    std::vector<ParamSpec> rows{
        number("eta_ancestral", "Eta of ancestral samplers", "What Eta -1 means for samplers that add noise.", 1, 1,
               0.05, "Eta ancestral"),
        number("eta_ddim", "Eta of DDIM", "What Eta -1 means for DDIM.", 0, 1, 0.05, "Eta DDIM"),
        number("s_churn", "Sigma churn", "Noise added back before each step of Euler, Heun and DPM2.", 0, 100, 0.5,
               "Sigma churn"),
        number("s_tmin", "Sigma tmin", "Churn only above this noise level.", 0, kMostSigma, 0.1, "Sigma tmin"),
        number("s_tmax", "Sigma tmax", "Churn only below this noise level; 0 has no limit.", 0, kMostSigma, 0.1,
               "Sigma tmax"),
        number("s_noise", "Sigma noise", "How strong the added noise is.", 1, 10, 0.01, "Sigma noise"),
        number("sigma_min", "Schedule min sigma", "The lowest noise level; 0 is the model's own.", 0, kMostSigma, 0.01,
               "Schedule min sigma"),
        number("sigma_max", "Schedule max sigma", "The highest noise level; 0 is the model's own.", 0, kMostSigma, 0.1,
               "Schedule max sigma"),
        number("rho", "Schedule rho", "How the Karras and Polyexponential schedules bend; 0 is their own.", 0, 100, 0.1,
               "Schedule rho"),
        number("beta_dist_alpha", "Beta schedule alpha", "First number of the Beta schedule.", 0.6, 10, 0.01,
               "Beta schedule alpha"),
        number("beta_dist_beta", "Beta schedule beta", "Second number of the Beta schedule.", 0.6, 10, 0.01,
               "Beta schedule beta"),
        flag("always_discard_next_to_last_sigma", "Discard penultimate sigma",
             "Leaves the lowest noise level of the schedule out.", "Discard penultimate sigma"),
        flag("sgm_noise_multiplier", "SGM noise multiplier", "Starts from slightly more noise, as SDXL was trained.",
             "SGM noise multiplier"),
        integer(ParamGroup::Sampling, "uni_pc_order", "UniPC order", "How many steps UniPC looks back.", 3, 1, 4,
                "UniPC order"),
        choice(row(ParamGroup::Sampling, "uni_pc_variant", "UniPC variant",
                   "How UniPC weighs what it remembers: bh1 and bh2 by the step, vary_coeff by all steps remembered.",
                   "UniPC variant"),
               {"bh1", "bh2", "vary_coeff"}),
        choice(row(ParamGroup::Sampling, "uni_pc_skip_type", "UniPC skip type",
                   "How UniPC's steps are spread: evenly in time, in its square root, or in the noise's logarithm.",
                   "UniPC skip type"),
               {"time_uniform", "time_quadratic", "logSNR"}),
        lowerOrderFinal(),
        randomSource(),
        integer(kSeed, "eta_noise_seed_delta", "ENSD", "Added to the seed of the noise that samplers add.", 0, 0,
                4294967295.0, "ENSD"),
        integer(kSeed, "seed_resize_from_w", "Resize seed from width",
                "Keeps the composition of this width; 0 or -1 is off.", -1, -1, 16384, ""),
        integer(kSeed, "seed_resize_from_h", "Resize seed from height",
                "Keeps the composition of this height; 0 or -1 is off.", -1, -1, 16384, ""),
    };
    for (ParamSpec &spec : compatibilityRows())
        rows.push_back(std::move(spec));
    for (ParamSpec &spec : rows) {
        spec.option = !spec.key.starts_with("seed_resize");
        if (spec.key == "beta_dist_alpha" || spec.key == "beta_dist_beta") spec.minimum = 0.01;
    }
    return rows;
}

}  // namespace sg
