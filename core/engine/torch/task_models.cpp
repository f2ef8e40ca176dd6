#include "core/engine/torch/task_models.h"

#include "core/modelfile/sidecar.h"
#include "core/params/coding_rows.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace sg::engine {
namespace {

/// The checkpoints of a task, the model first.
std::vector<std::string> modelPaths(const ModelRef &model, const GenerationRequest &request)
{
    std::vector<std::string> paths{model.path};
    if (model.hires && request.hires.enabled) paths.push_back(model.hires->path);
    if (model.refiner && request.refiner.enabled) paths.push_back(model.refiner->path);
    std::vector<std::string> unique;
    for (std::string &path : paths)
        if (std::find(unique.begin(), unique.end(), path) == unique.end()) unique.push_back(std::move(path));
    return unique;
}

/// All files that decide what a task draws, with the `.yaml` that checkpoints may have beside them.
std::vector<std::string> drawnWith(const ModelRef &model)
{
    std::vector<std::string> all;
    const auto addCheckpoint = [&all](const std::string &path) {
        all.push_back(path);
        all.push_back(sidecarPath(path).string());
    };
    addCheckpoint(model.path);
    for (const auto *list : {&model.loras, &model.embeddings})
        for (const NamedFile &file : *list)
            all.push_back(file.path);
    for (const auto *one : {&model.refiner, &model.hires})
        if (*one) addCheckpoint((*one)->path);
    if (model.upscaler) all.push_back(model.upscaler->path);
    return all;
}

/// Whether a refiner that is the first or the last pass's checkpoint has nobody to take over from.
bool drawsItself(const GenerationRequest &request, bool isFirst, bool isLast)
{
    const RefinerPass pass = request.hires.enabled ? request.refiner.pass : RefinerPass::Second;
    if (pass == RefinerPass::Second) return isLast;
    return isFirst && (pass == RefinerPass::First || isLast);
}

}  // namespace

ModelStore::Use useOf(const ModelRef &model, const GenerationRequest &request)
{
    return {modelPaths(model, request), !model.loras.empty(), model.vae.has_value(),
            request.coding.previews == kPreviewTiny};
}

std::vector<FileIdentity> identitiesOf(const ModelRef &model)
{
    std::vector<std::string> paths = drawnWith(model);
    if (model.vae) paths.push_back(model.vae->path);
    std::vector<FileIdentity> all;
    for (const std::string &path : paths)
        all.push_back(fileIdentity(path).value_or(FileIdentity{}));
    return all;
}

std::string drawingOf(const ModelRef &model, const GenerationRequest &request)
{
    if (request.drawing.empty()) return {};
    std::string text = request.drawing;
    for (const std::string &path : drawnWith(model)) {
        const Expected<FileIdentity> file = fileIdentity(path);
        text.append("\n").append(path);
        if (!file) continue;
        for (const std::uint64_t number :
             {file->device, file->inode, file->size, static_cast<std::uint64_t>(file->modified)})
            text.append(" ").append(std::to_string(number));
    }
    return text;
}

UsedModel::UsedModel(ModelStore &store, const std::string &path, const ModelRef &model, GenerationSink &sink,
                     const std::stop_token &stop, PartKeeper *keeper)
    : resident(store.get(
          path, stop, [&](std::uint64_t bytes, std::uint64_t total) { sink.loading(bytes, total); },
          keeper ? Residence::PartByPart : Residence::Whole)),
      companions(store, *resident, model, sink, stop)
{
    if (keeper) keeper->care(resident);
    if (resident->told) return;
    for (const std::string &text : resident->checkpoint->warnings)
        sink.warning(resident->name() + ": " + text);
    for (const std::string &text : resident->checkpoint->config.reasons)
        sink.reason(resident->name() + ": " + text);
}

UsedModels::UsedModels(ModelStore &store, const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                       const std::stop_token &stop, PartKeeper *keeper)
    : base(store, model.path, model, sink, stop, keeper)
{
    const auto makeWay = [&](const std::string &path) {
        if (keeper && !store.holds(path)) keeper->dropAll();
    };
    base.companions.begin();
    if (model.hires && request.hires.enabled) {
        makeWay(model.hires->path);
        hires.emplace(store, model.hires->path, model, sink, stop, keeper);
        hires->companions.begin();
    }
    if (!model.refiner || !request.refiner.enabled) return;
    makeWay(model.refiner->path);
    refiner.emplace(store, model.refiner->path, model, sink, stop, keeper);
    if (drawsItself(request, refiner->resident == base.resident, refiner->resident == (hires ? *hires : base).resident))
        refiner.reset();
    else
        refiner->companions.beginRefiner();
}

TaskModels UsedModels::forTask() const
{
    TaskModels models{base.forTask()};
    if (hires) models.hires.emplace(hires->forTask());
    if (refiner) models.refiner.emplace(refiner->forTask());
    return models;
}

void UsedModels::useLoras(const std::vector<std::string> &prompts, bool larger)
{
    if (!larger || !hires) return base.companions.useLoras(prompts, larger);
    hires->companions.goOnFrom(base.companions);
    hires->companions.useLoras(prompts, larger);
}

void UsedModels::tell() const
{
    for (const UsedModel *one : {&base, hires ? &*hires : nullptr, refiner ? &*refiner : nullptr})
        if (one) one->resident->told = true;
}

}  // namespace sg::engine
