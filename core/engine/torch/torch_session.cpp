#include "core/engine/torch/torch_session.h"

#include "core/base/log.h"
#include "core/diffusion/nn/out_of_memory.h"
#include "core/diffusion/pipeline/text_to_image.h"
#include "core/diffusion/upscale/upscaler.h"
#include "core/diffusion/vae/fitting.h"
#include "core/diffusion/vae/taesd.h"
#include "core/diffusion/vae/vae_config.h"
#include "core/engine/messages.h"
#include "core/engine/torch/companions.h"
#include "core/engine/torch/loopback.h"
#include "core/engine/torch/make_backend.h"
#include "core/engine/torch/part_keeper.h"
#include "core/engine/torch/start_preparation.h"
#include "core/imaging/upscale_tiles.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/sidecar.h"
#include "core/params/coding_rows.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <dlfcn.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sg::engine {
namespace {

/// The CUDA half of torch is a library of its own: it is loaded only where a GPU is asked for.
torch::Device openDevice(const std::string &name)
{
    const torch::Device device(name);
    if (device.is_cpu()) return device;
    if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL))
        throw Failure{
            {ErrorCode::EngineFailed, std::string("torch's CUDA library cannot be loaded: ") + dlerror(), "device"}};
    const int gpus = at::detail::getCUDAHooks().getNumGPUs();
    if (!at::globalContext().hasCUDA() || device.index() >= gpus)
        throw Failure{{ErrorCode::EngineFailed,
                       "there is no " + name + ": torch finds " + std::to_string(gpus) + " GPUs", "device"}};
    return device;
}

/// The CPU computes in nothing but single precision; a GPU is fastest in half.
torch::ScalarType precisionOf(const torch::Device &device)
{
    return device.is_cpu() ? torch::kFloat : torch::kHalf;
}

/// The first line: torch appends a stack of its own functions.
std::string firstLine(std::string text)
{
    return text.substr(0, text.find('\n'));
}

/// Runs `work` with torch's inference mode, which belongs to the thread, and makes a value of what it throws.
template <class Work>
auto guarded(Work work) -> Expected<std::invoke_result_t<Work>>
{
    try {
        const c10::InferenceMode mode;
        if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
            work();
            return {};
        } else {
            return work();
        }
    } catch (...) {
        return Unexpected{currentError()};
    }
}

/// A checkpoint that a task uses, with what is beside it, which is not in use before its begin().
struct UsedModel {
    UsedModel(ModelStore &store, const std::string &path, const ModelRef &model, GenerationSink &sink,
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
    TaskModel forTask() const { return {*resident->checkpoint, resident->conditioner}; }

    std::shared_ptr<ModelStore::Resident> resident;
    Companions companions;
};

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

ModelStore::Use useOf(const ModelRef &model, const GenerationRequest &request)
{
    return {modelPaths(model, request), !model.loras.empty(), model.vae.has_value(),
            request.coding.previews == kPreviewTiny};
}

/// All of a task's checkpoints, in use. With a keeper no two of them are read side by side.
struct UsedModels {
    UsedModels(ModelStore &store, const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
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
        // The model itself has nobody to hand over to.
        if (refiner->resident == (hires ? hires->resident : base.resident))
            refiner.reset();
        else
            refiner->companions.beginRefiner();
    }
    TaskModels forTask() const
    {
        TaskModels models{base.forTask()};
        if (hires) models.hires.emplace(hires->forTask());
        if (refiner) models.refiner.emplace(refiner->forTask());
        return models;
    }
    void useLoras(const std::vector<std::string> &prompts, bool larger)
    {
        if (!larger || !hires) return base.companions.useLoras(prompts, larger);
        hires->companions.goOnFrom(base.companions);
        hires->companions.useLoras(prompts, larger);
    }
    void tell() const
    {
        for (const UsedModel *one : {&base, hires ? &*hires : nullptr, refiner ? &*refiner : nullptr})
            if (one) one->resident->told = true;
    }

    UsedModel base;
    std::optional<UsedModel> hires, refiner;
};

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

/// Of all files that a task may use; of one that is not there, zeros.
std::vector<FileIdentity> identitiesOf(const ModelRef &model)
{
    std::vector<std::string> paths = drawnWith(model);
    if (model.vae) paths.push_back(model.vae->path);
    std::vector<FileIdentity> all;
    for (const std::string &path : paths)
        all.push_back(fileIdentity(path).value_or(FileIdentity{}));
    return all;
}

/// Hires fix's upscaler, where a file is one. Its header is read here, before anything is drawn.
/// Errors  throws Failure InvalidArgument for a name that nothing has, and what Upscaler throws.
std::shared_ptr<Upscaler> upscalerOf(const ModelRef &model, const GenerationRequest &request,
                                     const torch::Device &device)
{
    const std::vector<std::string> &own = engineTable().find("hr_upscaler")->choices;
    const std::string &name = request.hires.upscaler;
    if (!request.hires.enabled || std::find(own.begin(), own.end(), name) != own.end()) return {};
    if (!model.upscaler)
        throw Failure{{ErrorCode::InvalidArgument, "there is no upscaler named \"" + name + "\"", "hr_upscaler"}};
    return std::make_shared<Upscaler>(model.upscaler->path, device);
}

std::function<Image(const Image &, int, int)> enlargerOf(const std::shared_ptr<Upscaler> &upscaler,
                                                         const GenerationRequest &request, const std::stop_token &stop)
{
    if (!upscaler) return pictureEnlarger(request);
    return [upscaler, stop](const Image &picture, int width, int height) {
        return imaging::enlargeTo(picture, width, height, upscaler->scale(),
                                  [&](const Image &tile) { return upscaler->enlarge(tile, stop); });
    };
}

/// Draws between the work on pixels before and after, once or in loops, which are not left on the way.
std::unique_ptr<ParkedTask> drawFinished(const TaskModels &models, const GenerationRequest &request, TaskTools tools,
                                         GenerationSink &sink, const std::stop_token &stop, const ParkedTask *from)
{
    const auto drawOne = [&](const GenerationRequest &wanted, GenerationSink &to) {
        StartPreparation preparation(wanted, models.base.checkpoint.config.latentFactor);
        FinishingSink finishing(preparation, to);
        tools.latentsMoved = [&](std::int64_t index, const LatentPlane &distance) {
            preparation.latentsMoved(index, distance);
        };
        return drawPictures(models, wanted, preparation.prepared(), tools, finishing, stop, from);
    };
    if (request.loopback.loops == 0 || !request.start.used()) return drawOne(request, sink);
    tools.kept = nullptr;  // they would be one loop's
    drawLoops(request, sink, drawOne);
    return {};
}

/// The tiny autoencoder's weights, which are copied; its file is hardly larger.
void addPreviews(PlannedModel &planned, const ModelRef &model, std::uint64_t held)
{
    const bool xl = planned.config.family == BaseFamily::Sdxl;
    for (const NamedFile &file : model.taesd) {
        const Expected<FileIdentity> identity = fileIdentity(file.path);
        if (isTaesdXlName(file.name) != xl || !identity) continue;
        planned.weights += identity->size;
        planned.held += std::min<std::uint64_t>(held, identity->size);
        return;
    }
}

class TorchRun final : public ParkedRun {
public:
    std::uint64_t bytes() const override { return task->bytes(); }

    std::unique_ptr<ParkedTask> task;
    std::vector<FileIdentity> files;
};

/// The request's own, with the state of the files that it draws with. Empty: not known.
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

}  // namespace

Error currentError()
{
    try {
        throw;
    } catch (const Failure &failure) {
        return failure.error;
    } catch (const std::bad_alloc &) {
        return {ErrorCode::OutOfMemory, "there is not enough memory", {}};
    } catch (const c10::Error &problem) {
        return {nn::isOutOfMemory(problem) ? ErrorCode::OutOfMemory : ErrorCode::Internal,
                firstLine(problem.what_without_backtrace()),
                {}};
    } catch (const std::exception &problem) {
        return {ErrorCode::Internal, firstLine(problem.what()), {}};
    } catch (...) {
        return {ErrorCode::Internal, "something that is no exception was thrown", {}};
    }
}

TorchSession::TorchSession(const BackendOptions &options)
    : m_store(openDevice(options.device), precisionOf(torch::Device(options.device)), options.budget)
{
    if (options.threads > 0) at::set_num_threads(options.threads);
}

Backend *makeTorchBackend(const BackendOptions &options, Error &error)
{
    try {
        return new TorchSession(options);
    } catch (...) {
        error = currentError();
        return nullptr;
    }
}

Expected<LoadReport> TorchSession::load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop)
{
    m_store.keep(model.keep);
    Expected<LoadReport> report = guarded([&] {
        m_store.choose(model.path, model.choices);
        const std::shared_ptr<ModelStore::Resident> resident = m_store.get(model.path, stop, watch);
        resident->told = true;
        const Checkpoint &checkpoint = *resident->checkpoint;
        return LoadReport{std::string(familyName(checkpoint.config.family)), checkpoint.bytes, checkpoint.warnings,
                          checkpoint.config.reasons};
    });
    if (!report) m_store.giveBackMemory();
    return report;
}

Expected<MemoryPlan> TorchSession::plan(const ModelRef &model, const GenerationRequest &request)
{
    return guarded([&] { return planOf(model, request); });
}

MemoryPlan TorchSession::planOf(const ModelRef &model, const GenerationRequest &request)
{
    m_store.choose(model.path, model.choices);
    for (const auto *other : {&model.hires, &model.refiner})
        if (*other) m_store.choose((*other)->path, (*other)->choices);
    const ModelStore::Use use = useOf(model, request);
    std::vector<PlannedModel> models;
    for (const std::string &path : use.paths) {
        // A refiner never decodes.
        const bool decodes = path == model.path || (model.hires && path == model.hires->path);
        models.push_back(model.vae && decodes ? m_store.describe(path, model.vae->path) : m_store.describe(path));
        // Their own bytes (`merged`) are not known here yet.
        models.back().adapted = use.loras;
    }
    if (request.coding.previews == kPreviewTiny) addPreviews(models.front(), model, m_store.previewBytes(model.path));
    return planRun(models, request, m_store.placeFor(use));
}

/// What coding pictures may use now: what the device has, but of a budget no more than the run's own part.
std::uint64_t TorchSession::codingRoom(const ModelStore::Use &use, const MemoryPlan &plan) const
{
    const std::uint64_t left = m_store.placeFor(use).available;
    const std::uint64_t others = plan.pictures + kCodingOverhead;
    return std::min(coding::usableOf(coding::freeOn(m_store.device())), left - std::min(left, others));
}

/// Errors  throws Failure OutOfMemory, with the numbers, before anything is loaded.
std::unique_ptr<ParkedRun> TorchSession::draw(const ModelRef &model, const GenerationRequest &request,
                                              GenerationSink &sink, const std::stop_token &stop, const ParkedRun *from)
{
    const auto *const left = static_cast<const TorchRun *>(from);
    if (left && left->files != identitiesOf(model))
        throw Failure{{ErrorCode::ModelChanged, "a model file changed while the task was paused", model.path}};
    m_store.keep(model.keep);
    const MemoryPlan plan = planOf(model, request);
    if (!plan.fits) throw Failure{{ErrorCode::OutOfMemory, plan.text(), "memory"}};
    const std::shared_ptr<Upscaler> upscaler = upscalerOf(model, request, m_store.device());
    const std::uint64_t enlarging =
        upscaler ? upscaler->weightBytes() + upscaler->runBytes(imaging::kUpscaleTile, imaging::kUpscaleTile) : 0;
    std::optional<PartKeeper> keeping;
    if (plan.offload) {
        keeping.emplace(m_store, plan, std::max(plan.vae, enlarging), !model.loras.empty(), stop,
                        [&sink](std::uint64_t bytes, std::uint64_t total) { sink.loading(bytes, total); });
        sink.warning("memory is short: text encoders and UNets are read when they are needed and go again");
    }
    PartKeeper *const keeper = keeping ? &*keeping : nullptr;
    UsedModels used(m_store, model, request, sink, stop, keeper);
    const TaskModels models = used.forTask();
    if (!keeper) m_store.makeRoom(std::max(plan.run(), enlarging));
    for (const std::optional<TaskModel> &one : {std::optional(models.base), models.hires, models.refiner})
        if (one) one->checkpoint.rowsAtOnce = plan.rows < plan.allRows ? plan.rows : 0;
    if (plan.rows < plan.allRows)
        sink.warning("memory is short: the network computes " + std::to_string(plan.rows) + " of " +
                     std::to_string(plan.allRows) + " rows at once");

    TaskTools tools{.enlarge = enlargerOf(upscaler, request, stop),
                    .useNetworks = [&](const auto &prompts, bool larger) { used.useLoras(prompts, larger); },
                    .embeddingsUsed = [&](const auto &embeddings) { used.base.companions.nameEmbeddings(embeddings); },
                    .kept = &m_kept,
                    .drawing = drawingOf(model, request)};
    if (keeper) tools.codes = [keeper] { keeper->code(); };
    if (m_store.budget() > 0) tools.room = [this, use = useOf(model, request), plan] { return codingRoom(use, plan); };
    if (request.coding.previews == kPreviewTiny) tools.tiny = used.base.companions.previewVae();
    std::unique_ptr<ParkedTask> task =
        drawFinished(models, request, std::move(tools), sink, stop, left ? left->task.get() : nullptr);
    used.tell();  // not before: a task that fails tells nobody
    if (!task) return nullptr;
    auto parked = std::make_unique<TorchRun>();
    parked->task = std::move(task);
    parked->files = identitiesOf(model);
    return parked;
}

Expected<std::unique_ptr<ParkedRun>> TorchSession::generate(const ModelRef &model, const GenerationRequest &request,
                                                            GenerationSink &sink, std::stop_token stop,
                                                            const ParkedRun *from)
{
    Expected<std::unique_ptr<ParkedRun>> made = guarded([&] { return draw(model, request, sink, stop, from); });
    if (!made && made.error().code == ErrorCode::OutOfMemory) m_store.giveBackMemory();
    return made;
}

void TorchSession::unload(const std::optional<std::string> &path)
{
    const Expected<void> done = guarded([&] { m_store.unload(path); });
    if (!done) logError("engine", "unload: " + done.error().message);
}

}  // namespace sg::engine
