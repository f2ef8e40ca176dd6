#include "core/params/samplers.h"

#include <algorithm>

namespace sg {
namespace {

bool contains(const std::vector<std::string> &list, std::string_view text)
{
    return std::find(list.begin(), list.end(), text) != list.end();
}

/// "DPM++ 2M Karras" -> "DPM++ 2M", and the schedule that the last words name.
const ScheduleSpec *splitSuffix(std::string_view &sampler)
{
    for (const ScheduleSpec &schedule : schedules()) {
        std::vector<std::string> names{schedule.label, schedule.name};
        names.insert(names.end(), schedule.aliases.begin(), schedule.aliases.end());
        for (const std::string &name : names) {
            const std::string suffix = " " + name;
            if (sampler.size() > suffix.size() && sampler.ends_with(suffix)) {
                sampler.remove_suffix(suffix.size());
                return &schedule;
            }
        }
    }
    return nullptr;
}

std::string lowerCase(std::string_view text)
{
    std::string lower(text);
    for (char &c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

/// The longest name that `text` is, or begins with, in another case.
template <class Spec>
std::string meantOf(const std::vector<Spec> &list, std::string Spec::*name, std::string_view text)
{
    const std::string asked = lowerCase(text) + ' ';
    std::string meant;
    for (const Spec &spec : list)
        if ((spec.*name).size() > meant.size() && asked.starts_with(lowerCase(spec.*name) + ' ')) meant = spec.*name;
    return meant.empty() ? meant : "; there is \"" + meant + "\"";
}

}  // namespace

const std::vector<SamplerSpec> &samplers()
{
    // A line for each sampler, or nobody sees what sets two of them apart.
    // clang-format off
    static const std::vector<SamplerSpec> list{
        {.name = "DPM++ 2M", .aliases = {"k_dpmpp_2m"}, .defaultSchedule = "karras"},
        {.name = "DPM++ SDE", .aliases = {"k_dpmpp_sde"}, .defaultSchedule = "karras", .secondOrder = true, .brownianNoise = true},
        {.name = "DPM++ 2M SDE", .aliases = {"k_dpmpp_2m_sde"}, .defaultSchedule = "exponential", .brownianNoise = true},
        {.name = "DPM++ 2M SDE Heun", .aliases = {"k_dpmpp_2m_sde_heun"}, .defaultSchedule = "exponential", .brownianNoise = true},
        {.name = "DPM++ 2S a", .aliases = {"k_dpmpp_2s_a"}, .defaultSchedule = "karras", .secondOrder = true, .usesSeedDelta = true},
        {.name = "DPM++ 3M SDE", .aliases = {"k_dpmpp_3m_sde"}, .defaultSchedule = "exponential", .brownianNoise = true,
         .discardNextToLast = true},
        {.name = "Euler a", .aliases = {"k_euler_a", "k_euler_ancestral"}, .defaultSchedule = {}, .usesSeedDelta = true},
        {.name = "Euler", .aliases = {"k_euler"}, .defaultSchedule = {}},
        {.name = "LMS", .aliases = {"k_lms"}, .defaultSchedule = {}},
        {.name = "Heun", .aliases = {"k_heun"}, .defaultSchedule = {}, .secondOrder = true},
        {.name = "DPM2", .aliases = {"k_dpm_2"}, .defaultSchedule = "karras", .secondOrder = true, .discardNextToLast = true},
        {.name = "DPM2 a", .aliases = {"k_dpm_2_a"}, .defaultSchedule = "karras", .secondOrder = true, .usesSeedDelta = true,
         .discardNextToLast = true},
        {.name = "DPM fast", .aliases = {"k_dpm_fast"}, .defaultSchedule = {}, .usesSeedDelta = true},
        {.name = "DPM adaptive", .aliases = {"k_dpm_ad"}, .defaultSchedule = {}, .usesSeedDelta = true},
        {.name = "Restart", .aliases = {"restart"}, .defaultSchedule = "karras", .secondOrder = true},
        {.name = "DDIM", .aliases = {"ddim"}, .defaultSchedule = {}, .usesSchedule = false},
        {.name = "DDIM CFG++", .aliases = {"ddim_cfgpp"}, .defaultSchedule = {}, .usesSchedule = false},
        {.name = "PLMS", .aliases = {"plms"}, .defaultSchedule = {}, .usesSchedule = false},
        {.name = "UniPC", .aliases = {"unipc"}, .defaultSchedule = {}, .usesSchedule = false},
        {.name = "LCM", .aliases = {"k_lcm"}, .defaultSchedule = {}},
        {.name = "HeunPP2", .aliases = {"heunpp2"}, .defaultSchedule = {}},
        {.name = "IPNDM", .aliases = {"ipndm"}, .defaultSchedule = {}},
        {.name = "IPNDM_V", .aliases = {"ipndm_v"}, .defaultSchedule = {}},
        {.name = "DEIS", .aliases = {"deis"}, .defaultSchedule = {}},
        {.name = "DDPM", .aliases = {"ddpm"}, .defaultSchedule = {}},
    };
    // clang-format on
    return list;
}

const std::vector<ScheduleSpec> &schedules()
{
    static const std::vector<ScheduleSpec> list{
        {"automatic", "Automatic", {}, -1, false},
        {"uniform", "Uniform", {}, -1, true},
        {"karras", "Karras", {}, 7, false},
        {"exponential", "Exponential", {}, -1, false},
        {"polyexponential", "Polyexponential", {}, 1, false},
        {"sgm_uniform", "SGM Uniform", {"SGMUniform"}, -1, true},
        {"kl_optimal", "KL Optimal", {}, -1, false},
        {"align_your_steps", "Align Your Steps", {}, -1, false},
        {"simple", "Simple", {}, -1, true},
        {"normal", "Normal", {}, -1, true},
        {"ddim", "DDIM", {}, -1, true},
        {"beta", "Beta", {}, -1, true},
    };
    return list;
}

const SamplerSpec *findSampler(std::string_view name)
{
    for (const SamplerSpec &sampler : samplers())
        if (sampler.name == name) return &sampler;
    return nullptr;
}

const ScheduleSpec *findSchedule(std::string_view nameOrLabel)
{
    for (const ScheduleSpec &schedule : schedules())
        if (schedule.name == nameOrLabel || schedule.label == nameOrLabel || contains(schedule.aliases, nameOrLabel))
            return &schedule;
    return nullptr;
}

SamplerChoice resolveSampler(std::string_view sampler, std::string_view schedule)
{
    SamplerChoice choice;
    choice.schedule = findSchedule(schedule);
    if (!choice.schedule) {
        choice.schedule = &schedules().front();
        if (!schedule.empty()) {
            const std::string unknown = "scheduler \"" + std::string(schedule.substr(0, 80)) + "\" is unknown";
            choice.notes.push_back(unknown + ": Automatic was used");
            choice.unknown.push_back(unknown + meantOf(schedules(), &ScheduleSpec::label, schedule));
        }
    }
    choice.sampler = findSampler(sampler);
    if (!choice.sampler) {
        std::string_view rest = sampler;
        if (const ScheduleSpec *named = splitSuffix(rest)) choice.schedule = named;
        choice.sampler = findSampler(rest);
    }
    if (!choice.sampler) {
        choice.sampler = &samplers().front();
        const std::string unknown = "sampler \"" + std::string(sampler.substr(0, 80)) + "\" is unknown";
        choice.notes.push_back(unknown + ": " + choice.sampler->name + " was used");
        choice.unknown.push_back(unknown + meantOf(samplers(), &SamplerSpec::name, sampler));
    }
    if (!choice.sampler->defaultSchedule.empty() && choice.schedule->name == choice.sampler->defaultSchedule)
        choice.schedule = &schedules().front();
    return choice;
}

std::string withoutAlias(std::string_view sampler)
{
    const auto named = [](std::string_view alias) -> const SamplerSpec * {
        for (const SamplerSpec &spec : samplers())
            if (contains(spec.aliases, alias)) return &spec;
        return nullptr;
    };
    if (const SamplerSpec *spec = named(sampler)) return spec->name;
    std::string_view rest = sampler;
    if (splitSuffix(rest))
        if (const SamplerSpec *spec = named(rest)) return spec->name + std::string(sampler.substr(rest.size()));
    return std::string(sampler);
}

const ScheduleSpec &effectiveSchedule(const SamplerSpec &sampler, const ScheduleSpec &schedule)
{
    if (schedule.name != "automatic") return schedule;
    if (sampler.defaultSchedule.empty()) return schedule;
    return *findSchedule(sampler.defaultSchedule);
}

}  // namespace sg
