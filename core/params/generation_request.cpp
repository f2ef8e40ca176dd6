#include "core/params/generation_request.h"

#include "core/params/picture_rows.h"
#include "core/params/samplers.h"

#include <random>

namespace sg {
namespace {

/// The value of a row that a table of one kind of task may lack.
template <class T>
T valueOr(const ParamValues &values, const char *key, T otherwise)
{
    const ParamValue *value = values.find(key);
    const T *held = value ? std::get_if<T>(value) : nullptr;
    return held ? *held : otherwise;
}

double blurOf(const ParamValues &values, const char *key)
{
    const auto own = valueOr<std::int64_t>(values, key, -1);
    return static_cast<double>(own >= 0 ? own : valueOr<std::int64_t>(values, "mask_blur", 4));
}

SoftInpainting softOf(const ParamValues &values)
{
    SoftInpainting soft;
    soft.enabled = valueOr(values, "soft_inpainting", false);
    soft.scheduleBias = valueOr(values, "soft_schedule_bias", soft.scheduleBias);
    soft.preservationStrength = valueOr(values, "soft_preservation_strength", soft.preservationStrength);
    soft.contrastBoost = valueOr(values, "soft_contrast_boost", soft.contrastBoost);
    soft.maskInfluence = valueOr(values, "soft_mask_influence", soft.maskInfluence);
    soft.differenceThreshold = valueOr(values, "soft_difference_threshold", soft.differenceThreshold);
    soft.differenceContrast = valueOr(values, "soft_difference_contrast", soft.differenceContrast);
    return soft;
}

StartPictures startOf(const ParamValues &values)
{
    StartPictures start;
    start.resizeMode = static_cast<int>(valueOr<std::int64_t>(values, "resize_mode", 0));
    start.upscaler = valueOr<std::string>(values, "upscaler_for_img2img", start.upscaler);
    start.maskBlurX = blurOf(values, "mask_blur_x");
    start.maskBlurY = blurOf(values, "mask_blur_y");
    start.maskRound = valueOr(values, "mask_round", true);
    start.maskInvert = valueOr<std::int64_t>(values, "inpainting_mask_invert", 0) != 0;
    start.maskedContent = static_cast<MaskedContent>(valueOr<std::int64_t>(values, "inpainting_fill", 0));
    start.onlyMasked = valueOr(values, "inpaint_full_res", true);
    start.padding = static_cast<int>(valueOr<std::int64_t>(values, "inpaint_full_res_padding", 0));
    start.maskWeight = valueOr(values, "inpainting_mask_weight", 1.0);
    start.noiseMultiplier = valueOr(values, "initial_noise_multiplier", 1.0);
    start.colourCorrection = valueOr(values, "img2img_color_correction", false);
    start.exactSteps = valueOr(values, "img2img_fix_steps", false);
    start.imageScale = valueOr(values, "image_cfg_scale", 1.0);
    start.soft = softOf(values);
    const auto pixels = [&](const char *key) { return static_cast<int>(valueOr<std::int64_t>(values, key, 0)); };
    start.outpaint.left = pixels("outpaint_left");
    start.outpaint.up = pixels("outpaint_up");
    start.outpaint.enabled =
        start.outpaint.left + start.outpaint.up + pixels("outpaint_right") + pixels("outpaint_down") > 0;
    return start;
}

Loopback loopbackOf(const ParamValues &values)
{
    Loopback loopback;
    loopback.loops = valueOr<std::int64_t>(values, "loopback_loops", 0);
    loopback.finalStrength = valueOr(values, "loopback_final_strength", loopback.finalStrength);
    loopback.curve = valueOr(values, "loopback_curve", loopback.curve);
    return loopback;
}

AlternativeNoise alternativeNoiseOf(const ParamValues &values)
{
    AlternativeNoise noise;
    noise.enabled = valueOr(values, "alternative_noise", false);
    noise.prompt = valueOr(values, "decode_prompt", noise.prompt);
    noise.negativePrompt = valueOr(values, "decode_negative_prompt", noise.negativePrompt);
    noise.cfgScale = valueOr(values, "decode_cfg_scale", noise.cfgScale);
    noise.steps = valueOr(values, "decode_steps", noise.steps);
    noise.randomness = valueOr(values, "decode_randomness", noise.randomness);
    noise.sigmaAdjustment = valueOr(values, "decode_sigma_adjustment", noise.sigmaAdjustment);
    return noise;
}

RefinerPass refinerPassOf(const std::string &name)
{
    if (name == "both passes") return RefinerPass::Both;
    return name == "first pass" ? RefinerPass::First : RefinerPass::Second;
}

HiresPass hiresOf(const ParamValues &values, const GenerationRequest &request)
{
    HiresPass pass;
    pass.enabled = valueOr(values, "enable_hr", false);
    if (!pass.enabled) return pass;
    pass.size = HiresSize::of(values);
    pass.upscaler = values.get<std::string>("hr_upscaler");
    const auto &sampler = values.get<std::string>("hr_sampler_name");
    pass.sampler = sampler == kSameSampler ? request.sampler : sampler;
    const auto &schedule = values.get<std::string>("hr_scheduler");
    const ScheduleSpec *named = schedule == kSameSchedule ? nullptr : findSchedule(schedule);
    pass.schedule = named ? named->name : request.schedule;
    const auto &prompt = values.get<std::string>("hr_prompt");
    pass.prompt = prompt.empty() ? request.prompt : prompt;
    const auto &negative = values.get<std::string>("hr_negative_prompt");
    pass.negativePrompt = negative.empty() ? request.negativePrompt : negative;
    pass.steps = values.get<std::int64_t>("hr_second_pass_steps");
    if (pass.steps == 0) pass.steps = request.steps;
    return pass;
}

}  // namespace

GenerationRequest GenerationRequest::from(const ParamValues &values)
{
    GenerationRequest request;
    request.prompt = values.get<std::string>("prompt");
    request.negativePrompt = values.get<std::string>("negative_prompt");
    request.model = values.get<std::string>("stable_diffusion_model");
    request.sampler = values.get<std::string>("sampler_name");
    const ScheduleSpec *schedule = findSchedule(values.get<std::string>("scheduler"));
    request.schedule = schedule ? schedule->name : schedules().front().name;
    request.steps = values.get<std::int64_t>("steps");
    request.cfgScale = values.get<double>("cfg_scale");
    request.width = values.get<std::int64_t>("width");
    request.height = values.get<std::int64_t>("height");
    request.seed = values.get<std::int64_t>("seed");
    request.subseed = values.get<std::int64_t>("subseed");
    request.subseedStrength = values.get<double>("subseed_strength");
    request.batchSize = values.get<std::int64_t>("batch_size");
    request.iterations = values.get<std::int64_t>("n_iter");
    request.eta = values.get<double>("eta");
    request.emphasis = values.get<std::string>("emphasis");
    request.clipSkip = values.get<std::int64_t>("clip_skip");
    request.commaBacktrack = values.get<std::int64_t>("comma_padding_backtrack");
    request.cfgRescale = values.get<double>("cfg_rescale");
    request.guidanceStart = values.get<double>("cfg_start");
    request.guidanceEnd = values.get<double>("cfg_end");
    request.skipEarlyCfg = values.get<double>("skip_early_cond");
    request.sMinUncond = values.get<double>("s_min_uncond");
    request.sMinUncondAll = values.get<bool>("s_min_uncond_all");
    request.withoutLoras = values.get<bool>("disable_extra_networks");
    request.padCondUncond = values.get<bool>("pad_cond_uncond");
    request.sampling = SamplerSettings::from(values);
    request.coding = CodingSettings::from(values);
    request.denoisingStrength = valueOr(values, "denoising_strength", 0.75);
    request.extraNoise = valueOr(values, "img2img_extra_noise", 0.0);
    request.start = startOf(values);
    request.alternativeNoise = alternativeNoiseOf(values);
    request.loopback = loopbackOf(values);
    request.hires = hiresOf(values, request);
    request.refiner = {!valueOr<std::string>(values, "refiner_checkpoint", {}).empty(),
                       valueOr(values, "refiner_switch_at", 0.8),
                       valueOr(values, "refiner_switch_by_sample_steps", false),
                       refinerPassOf(valueOr<std::string>(values, "hires_fix_refiner_pass", {}))};
    return request;
}

std::int64_t GenerationRequest::imageCount() const
{
    if (loopback.loops > 0) return iterations == 1 ? loopback.loops : iterations;
    return batchSize * iterations;
}

std::int64_t GenerationRequest::imageSeed(std::int64_t index) const
{
    if (loopback.loops > 0) return seed + (iterations == 1 ? index : (index + 1) * loopback.loops - 1);
    return subseedStrength == 0 ? seed + index : seed;
}

SamplerSettings SamplerSettings::from(const ParamValues &values)
{
    SamplerSettings settings;
    settings.randomSource = values.get<std::string>("randn_source");
    settings.etaAncestral = values.get<double>("eta_ancestral");
    settings.etaDdim = values.get<double>("eta_ddim");
    settings.churn = values.get<double>("s_churn");
    settings.churnMinimum = values.get<double>("s_tmin");
    settings.churnMaximum = values.get<double>("s_tmax");
    settings.noiseScale = values.get<double>("s_noise");
    settings.sigmaMin = values.get<double>("sigma_min");
    settings.sigmaMax = values.get<double>("sigma_max");
    settings.rho = values.get<double>("rho");
    settings.betaAlpha = values.get<double>("beta_dist_alpha");
    settings.betaBeta = values.get<double>("beta_dist_beta");
    settings.discardNextToLast = values.get<bool>("always_discard_next_to_last_sigma");
    settings.sgmNoise = values.get<bool>("sgm_noise_multiplier");
    settings.uniPcOrder = values.get<std::int64_t>("uni_pc_order");
    settings.zeroTerminalSnr = values.get<std::string>("sd_noise_schedule") != "Default";
    settings.halfLevels = values.get<bool>("use_downcasted_alpha_bar");
    settings.oldTimelines = values.get<bool>("use_old_scheduling");
    settings.uniPcVariant = values.get<std::string>("uni_pc_variant");
    settings.uniPcSkip = values.get<std::string>("uni_pc_skip_type");
    settings.uniPcLowerOrderFinal = values.get<bool>("uni_pc_lower_order_final");
    settings.seedDelta = values.get<std::int64_t>("eta_noise_seed_delta");
    settings.resizeFromWidth = values.get<std::int64_t>("seed_resize_from_w");
    settings.resizeFromHeight = values.get<std::int64_t>("seed_resize_from_h");
    return settings;
}

CodingSettings CodingSettings::from(const ParamValues &values)
{
    CodingSettings settings;
    if (values.get<bool>("tiling")) {
        const auto &axis = values.get<std::string>("tiling_axis");
        settings.wrapsAcross = axis != "Down";
        settings.wrapsDown = axis != "Across";
    }
    settings.tiling = values.get<std::string>("vae_tiling");
    settings.tileSize = values.get<std::int64_t>("vae_tile_size");
    settings.upscalerTile = values.get<std::int64_t>("ESRGAN_tile");
    settings.upscalerOverlap = values.get<std::int64_t>("ESRGAN_tile_overlap");
    settings.previews = values.get<std::string>("show_progress_type");
    return settings;
}

void resolveSeeds(ParamValues &values)
{
    std::random_device device;
    std::uniform_int_distribution<std::int64_t> pick(0, 4294967293);
    for (const char *key : {"seed", "subseed"})
        if (values.get<std::int64_t>(key) == -1) values.set(key, pick(device));
}

}  // namespace sg
