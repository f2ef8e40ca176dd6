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

}  // namespace

const std::vector<SamplerSpec> &samplers()
{
    static const std::vector<SamplerSpec> list{
        {"DPM++ 2M", {"k_dpmpp_2m"}, "karras", true},
        {"Euler a", {"k_euler_a", "k_euler_ancestral"}, "", true},
        {"Euler", {"k_euler"}, "", true},
        {"DDIM", {"ddim"}, "", false},
    };
    return list;
}

const std::vector<ScheduleSpec> &schedules()
{
    static const std::vector<ScheduleSpec> list{
        {"automatic", "Automatic", {}, -1, false},
        {"uniform", "Uniform", {}, -1, true},
        {"karras", "Karras", {}, 7, false},
        {"exponential", "Exponential", {}, -1, false},
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
        if (schedule.name == nameOrLabel || schedule.label == nameOrLabel || contains(schedule.aliases, nameOrLabel)) return &schedule;
    return nullptr;
}

SamplerChoice resolveSampler(std::string_view sampler, std::string_view schedule)
{
    SamplerChoice choice;
    choice.schedule = findSchedule(schedule);
    if (!choice.schedule) {
        choice.schedule = &schedules().front();
        if (!schedule.empty()) choice.notes.push_back("scheduler \"" + std::string(schedule.substr(0, 80)) + "\" is unknown: Automatic was used");
    }
    choice.sampler = findSampler(sampler);
    if (!choice.sampler) {
        std::string_view rest = sampler;
        if (const ScheduleSpec *named = splitSuffix(rest)) choice.schedule = named;
        choice.sampler = findSampler(rest);
    }
    if (!choice.sampler) {
        choice.sampler = &samplers().front();
        choice.notes.push_back("sampler \"" + std::string(sampler.substr(0, 80)) + "\" is unknown: " + choice.sampler->name + " was used");
    }
    if (!choice.sampler->defaultSchedule.empty() && choice.schedule->name == choice.sampler->defaultSchedule)
        choice.schedule = &schedules().front();
    return choice;
}

const ScheduleSpec &effectiveSchedule(const SamplerSpec &sampler, const ScheduleSpec &schedule)
{
    if (schedule.name != "automatic") return schedule;
    if (sampler.defaultSchedule.empty()) return schedule;
    return *findSchedule(sampler.defaultSchedule);
}

}  // namespace sg
