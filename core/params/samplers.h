#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// A sampler as clients see it (A1111 1.10.1's names).
struct SamplerSpec {
    std::string name;                  ///< "DPM++ 2M": infotext, form, /samplers
    std::vector<std::string> aliases;  ///< "k_dpmpp_2m"
    std::string defaultSchedule;       ///< schedule's name when the request says Automatic; empty: uniform
    bool usesSchedule = true;          ///< false: the sampler has timesteps of its own (DDIM)
    bool secondOrder = false;          ///< about two calls of the network a step
    bool brownianNoise = false;        ///< its noise is one Brownian path (SDE)
    bool usesSeedDelta = false;        ///< A1111 writes ENSD into its infotext
    bool discardNextToLast = false;    ///< leaves the schedule's lowest level out
};

/// A noise schedule as clients see it.
struct ScheduleSpec {
    std::string name;   ///< "karras"
    std::string label;  ///< "Karras"
    std::vector<std::string> aliases;
    double defaultRho = -1;
    bool needInnerModel = false;
};

/// In the order of /sdapi/v1/samplers; the first is what an unknown name becomes.
const std::vector<SamplerSpec> &samplers();
/// In the order of /sdapi/v1/schedulers; the first is Automatic.
const std::vector<ScheduleSpec> &schedules();

const SamplerSpec *findSampler(std::string_view name);
/// By name, label or alias.
const ScheduleSpec *findSchedule(std::string_view nameOrLabel);

/// What a request's two strings mean, as A1111 resolves them: "DPM++ 2M Karras" is split, an unknown sampler becomes
/// the first of the list, an unknown schedule Automatic.
struct SamplerChoice {
    const SamplerSpec *sampler = nullptr;
    const ScheduleSpec *schedule = nullptr;  ///< as reported: Automatic when it is the sampler's own default
    std::vector<std::string> notes;    ///< what was unknown, and what was taken
    std::vector<std::string> unknown;  ///< the same for who takes nothing instead: with the name that may be meant
};
SamplerChoice resolveSampler(std::string_view sampler, std::string_view schedule);

/// A1111's other names ("k_euler_a", "k_dpmpp_2m karras") become the sampler's own, a schedule at the end stays there;
/// anything else stays as it is. A1111's own doors list these names and do not take them.
std::string withoutAlias(std::string_view sampler);

/// The schedule that is computed: what Automatic stands for with this sampler. Its label is the infotext's "Schedule
/// type".
const ScheduleSpec &effectiveSchedule(const SamplerSpec &sampler, const ScheduleSpec &schedule);

}  // namespace sg
