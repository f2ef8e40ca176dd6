#include "core/engine/task_sink.h"

#include "core/params/samplers.h"
#include "core/picture/infotext.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sg::engine {
namespace {

std::string scheduleLabel(const GenerationRequest &request)
{
    const SamplerSpec *sampler = findSampler(request.sampler);
    const ScheduleSpec *schedule = findSchedule(request.schedule);
    return sampler && schedule && sampler->usesSchedule ? effectiveSchedule(*sampler, *schedule).label : std::string();
}

/// What the prompts were made from, where the seed decided something.
std::vector<std::pair<std::string, std::string>> templates(const GenerateMessage &message)
{
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto &[key, name] : {std::pair("prompt", "Template"), {"negative_prompt", "Negative Template"}})
        if (const auto &text = message.values.get<std::string>(key); hasVariants(text)) pairs.emplace_back(name, text);
    return pairs;
}

/// What made the picture of a loop: its own strength, from the picture before it.
void sayLoop(const GenerationRequest &request, std::int64_t index, ParamValues &values,
             std::vector<std::pair<std::string, std::string>> &extras)
{
    const Loopback &loopback = request.loopback;
    const std::int64_t loop = request.imageLoop(index);
    values.set("denoising_strength", loopback.strengthOf(loop, request.denoisingStrength));
    if (loop > 0) values.set("inpainting_fill", static_cast<std::int64_t>(MaskedContent::Original));
    extras.emplace_back("Final denoising strength", pythonNumber(loopback.finalStrength));
    extras.emplace_back("Denoising curve", loopback.curve);
    extras.emplace_back("Loop", std::to_string(loop + 1) + "/" + std::to_string(loopback.loops));
}

/// Whether the request itself says this in the infotext.
bool saidByRow(const ParamValues &values, const std::string &key)
{
    for (const ParamSpec &spec : ParamTable::standard().specs())
        if (spec.infotextKey == key)
            if (const ParamValue *held = values.find(spec.key); held && *held != spec.defaultValue) return true;
    return false;
}

/// A number of the request's that became another one on the way.
void sayInstead(ParamValues &values, const std::string &key, const std::string &value)
{
    std::int64_t number = 0;
    const char *const last = value.data() + value.size();
    const auto [end, problem] = std::from_chars(value.data(), last, number);
    if (problem != std::errc() || end != last) return;
    for (const ParamSpec &spec : ParamTable::standard().specs())
        if (spec.infotextKey == key && spec.type == ParamType::Integer && values.find(spec.key))
            values.set(spec.key, number);
}

void addOnce(std::vector<std::string> &texts, std::string text)
{
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
}

constexpr std::chrono::milliseconds kPreviewInterval{250};
constexpr std::chrono::seconds kSignInterval{5};
constexpr double kNewestShare = 0.3;  // of the newest step in the smoothed rate

}  // namespace

TaskSink::TaskSink(std::string id, const GenerateMessage &message, const ParamTable &table,
                   const std::atomic<bool> &pause, Outbox &outbox)
    : m_id(std::move(id)), m_message(message), m_table(table), m_pause(pause), m_outbox(outbox), m_loading(m_id, outbox)
{
}

double TaskSink::seconds() const
{
    return std::chrono::duration<double>(Clock::now() - m_start).count();
}

void TaskSink::goOn()
{
    const Clock::duration pause = Clock::now() - m_pausedAt;
    m_start += pause;
    m_lastStep += pause;
}

void TaskSink::found(Finding finding)
{
    Json json = event(finding.type, m_id);
    json.update(finding.facts);
    if (!finding.picture.empty()) {
        json["format"] = "png";
        m_outbox.sendPicture(std::move(json), std::move(finding.picture), {});
    } else {
        if (!finding.payload.empty()) json["format"] = "safetensors";
        m_outbox.sendBytes(std::move(json), std::move(finding.payload));
    }
}

void TaskSink::progress(const StepProgress &progress)
{
    m_step = progress.step;
    const Clock::time_point now = Clock::now();
    if (progress.sampled) {
        const double last = std::chrono::duration<double>(now - m_lastStep).count();
        m_secondsPerStep = m_firstStep ? last : (1 - kNewestShare) * m_secondsPerStep + kNewestShare * last;
        m_firstStep = false;
    }
    m_lastStep = now;
    Json json = event("progress", m_id);
    json["step"] = progress.step;
    json["steps"] = progress.steps;
    json["sigma"] = progress.sigma;
    json["image"] = progress.image;
    json["images"] = progress.images;
    json["fraction"] = progress.fraction;
    json["rate"] = m_secondsPerStep > 0 ? 1 / m_secondsPerStep : 0.0;
    json["eta"] = progress.fraction > 0 ? seconds() * (1 - progress.fraction) / progress.fraction : 0.0;
    m_outbox.send(std::move(json));
}

/// One step of a large picture may take longer than anybody would wait for a sign of life.
void TaskSink::alive()
{
    const Clock::time_point now = Clock::now();
    if (now - std::max(m_lastSign, m_lastStep) < kSignInterval) return;
    m_lastSign = now;
    m_outbox.send(event("working", m_id));
}

bool TaskSink::previewDue()
{
    return m_message.previews && Clock::now() - m_lastPreview >= kPreviewInterval;
}

void TaskSink::preview(std::int64_t step, std::int64_t image, Image picture)
{
    m_lastPreview = Clock::now();
    Json json = event("preview", m_id);
    json["step"] = step;
    json["image"] = image;
    json["width"] = picture.width;
    json["height"] = picture.height;
    json["format"] = "jpeg";
    m_outbox.sendPreview(std::move(json), std::move(picture));
}

void TaskSink::warning(std::string text)
{
    addOnce(m_warnings, std::move(text));
}

void TaskSink::reason(std::string text)
{
    addOnce(m_reasons, std::move(text));
}

void TaskSink::fact(std::string key, std::string value)
{
    const auto known =
        std::find_if(m_facts.begin(), m_facts.end(), [&](const auto &pair) { return pair.first == key; });
    if (value.empty()) {
        if (known != m_facts.end()) m_facts.erase(known);
    } else if (known != m_facts.end()) {
        known->second = std::move(value);
    } else {
        m_facts.emplace_back(std::move(key), std::move(value));
    }
}

void TaskSink::image(std::int64_t index, Image picture)
{
    ++m_images;
    const GenerationRequest &request = m_message.request;
    const PromptPair prompts = request.imagePrompts(index);
    ParamValues values = m_message.values;
    values.set("prompt", prompts.prompt);
    values.set("negative_prompt", prompts.negative);
    if (request.hires.enabled) {
        const PromptPair larger = request.imageHiresPrompts(index);
        if (!values.get<std::string>("hr_prompt").empty()) values.set("hr_prompt", larger.prompt);
        if (!values.get<std::string>("hr_negative_prompt").empty()) values.set("hr_negative_prompt", larger.negative);
    }
    // Where it means anything, the drawing says so as a fact.
    values.set("inpainting_mask_weight", 1.0);
    std::vector<std::pair<std::string, std::string>> extras;
    if (request.loopback.loops > 0) sayLoop(request, index, values, extras);
    for (const auto &fact : m_facts)
        if (saidByRow(values, fact.first))
            sayInstead(values, fact.first, fact.second);
        else
            extras.push_back(fact);
    for (auto &pair : templates(m_message))
        extras.push_back(std::move(pair));
    std::string text = infotext({.values = values,
                                 .table = m_table,
                                 .modelName = m_message.model.name,
                                 .modelHash = m_message.model.hash.substr(0, 10),
                                 .seed = request.imageSeed(index),
                                 .subseed = request.imageSubseed(index),
                                 .scheduleLabel = scheduleLabel(request),
                                 .version = {},
                                 .extras = std::move(extras)});
    Json json = event("image", m_id);
    json["index"] = index;
    json["seed"] = request.imageSeed(index);
    json["subseed"] = request.imageSubseed(index);
    json["width"] = picture.width;
    json["height"] = picture.height;
    json["infotext"] = text;
    json["format"] = "png";
    m_outbox.sendPicture(std::move(json), std::move(picture), std::move(text));
}

}  // namespace sg::engine
