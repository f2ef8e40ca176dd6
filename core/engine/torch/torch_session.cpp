#include "core/engine/torch/torch_session.h"

#include "core/base/log.h"
#include "core/diffusion/nn/out_of_memory.h"
#include "core/diffusion/nn/pulse.h"
#include "core/diffusion/upscale/upscaler.h"
#include "core/diffusion/vae/fitting.h"
#include "core/diffusion/vae/taesd.h"
#include "core/diffusion/vae/vae_config.h"
#include "core/engine/messages.h"
#include "core/engine/torch/loopback.h"
#include "core/engine/torch/make_backend.h"
#include "core/engine/torch/start_preparation.h"
#include "core/engine/torch/task_models.h"
#include "core/engine/torch/task_upscaler.h"
#include "core/modelfile/model_file.h"
#include "core/modelfile/model_kind.h"
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

/// Of a file. Weights are read when the first picture comes.
TaskUpscaler::Open openingOn(const torch::Device &device)
{
    return [device](const std::string &path) -> TaskUpscaler::Network {
        const auto network = std::make_shared<Upscaler>(path, device);
        return {network->config(), network->weightBytes(),
                [network](const Image &rgb, const std::stop_token &stop) { return network->enlarge(rgb, stop); }};
    };
}

constexpr double kEnlargingShare = 0.25;  // of the progress, where start pictures are made larger

/// Makes start pictures larger. What it has done of that goes into `before`, the share of the task, and to the sink.
imaging::Larger largerOf(const TaskUpscaler &upscaler, const GenerationRequest &request, GenerationSink &sink,
                         const std::stop_token &stop, double &before)
{
    if (!upscaler.forStart()) return {};
    const auto pictures = static_cast<double>(request.start.pictures.size());
    return [&upscaler, &sink, &before, stop, pictures, steps = request.steps,
            images = request.imageCount()](const Image &picture, int width, int height) {
        const double begun = before;
        const auto parts = static_cast<double>(upscaler.parts(picture.width, picture.height, width, height));
        return upscaler.enlarge(
            picture, width, height,
            [&] {
                before = std::min(kEnlargingShare, before + kEnlargingShare / pictures / parts);
                if (begun < kEnlargingShare)
                    sink.progress({.steps = steps, .images = images, .fraction = before, .sampled = false});
            },
            stop);
    };
}

/// What a task needs of its models and of its upscaler, all of which live longer.
TaskTools toolsOf(UsedModels &used, const GenerationRequest &request, const TaskUpscaler &upscaler,
                  const std::stop_token &stop)
{
    TaskTools tools{.enlarge =
                        [&upscaler, stop](const Image &picture, int width, int height, const auto &partDone) {
                            return upscaler.enlarge(picture, width, height, partDone, stop);
                        },
                    .enlargeParts = upscaler.hiresParts(),
                    .useNetworks = [&](const auto &prompts, bool larger) { used.useLoras(prompts, larger); },
                    .embeddingsUsed = [&](const auto &embeddings) { used.base.companions.nameEmbeddings(embeddings); }};
    if (request.coding.previews == kPreviewTiny) tools.tiny = used.base.companions.previewVae();
    return tools;
}

/// The rows that a plan lets networks compute together.
void useRows(const MemoryPlan &plan, const TaskModels &models, GenerationSink &sink)
{
    for (const std::optional<TaskModel> &one : {std::optional(models.base), models.hires, models.refiner})
        if (one) one->checkpoint.rowsAtOnce = plan.rows < plan.allRows ? plan.rows : 0;
    if (plan.rows < plan.allRows)
        sink.warning("memory is short: the network computes " + std::to_string(plan.rows) + " of " +
                     std::to_string(plan.allRows) + " rows at once");
}

/// Draws between the work on pixels before and after, once or in loops, which are not left on the way.
std::unique_ptr<ParkedTask> drawFinished(const TaskModels &models, const GenerationRequest &request, TaskTools tools,
                                         const TaskUpscaler &upscaler, GenerationSink &sink,
                                         const std::stop_token &stop, const ParkedTask *from)
{
    const auto drawOne = [&](const GenerationRequest &wanted, GenerationSink &to) {
        double before = 0;
        StartPreparation preparation(wanted, models.base.checkpoint.config.latentFactor,
                                     largerOf(upscaler, wanted, to, stop, before));
        FinishingSink finishing(preparation, to, before);
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

/// The tiny autoencoder's weights, which are copied in single precision.
void addPreviews(PlannedModel &planned, const ModelRef &model, std::uint64_t held)
{
    const bool xl = planned.config.family == BaseFamily::Sdxl;
    for (const NamedFile &file : model.taesd) {
        const Expected<TensorIndex> index =
            isTaesdXlName(file.name) == xl ? readModelFile(file.path) : Expected<TensorIndex>(TensorIndex());
        if (!index || index->tensors().empty()) continue;
        std::uint64_t bytes = 0;
        for (const auto &[name, info] : index->tensors())
            bytes += static_cast<std::uint64_t>(info.elements()) * sizeof(float);
        planned.weights += bytes;
        planned.held += std::min(held, bytes);
        return;
    }
}

class TorchRun final : public ParkedRun {
public:
    std::uint64_t bytes() const override { return task->bytes(); }

    std::unique_ptr<ParkedTask> task;
    std::vector<FileIdentity> files;
};

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
    return guarded([&] { return planOf(model, request, TaskUpscaler(model, request, openingOn(m_store.device()))); });
}

MemoryPlan TorchSession::planOf(const ModelRef &model, const GenerationRequest &request, const TaskUpscaler &upscaler)
{
    m_store.choose(model.path, model.choices);
    for (const auto *other : {&model.hires, &model.refiner})
        if (*other) m_store.choose((*other)->path, (*other)->choices);
    const ModelStore::Use use = useOf(model, request);
    std::vector<PlannedModel> models;
    for (const std::string &path : use.paths) {
        models.push_back(m_store.describe(path));
        // A refiner never decodes, and has no LoRAs.
        if (path != model.path && !(model.hires && path == model.hires->path)) continue;
        if (model.vae) m_store.addVae(models.back(), path, model.vae->path);
        if (use.loras) m_store.addLoras(models.back(), path, model.loras);
    }
    if (request.coding.previews == kPreviewTiny) addPreviews(models.front(), model, m_store.previewBytes(model.path));
    return planRun(models, request, m_store.placeFor(use), upscaler.planned());
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
    // Start pictures are made larger before anything is drawn, so the signs of life begin here.
    const nn::Pulse::Scope pulse([&sink] { sink.alive(); });
    TaskUpscaler upscaler(model, request, openingOn(m_store.device()));
    const MemoryPlan plan = planOf(model, request, upscaler);
    if (!plan.fits) throw Failure{{ErrorCode::OutOfMemory, plan.text(), "memory"}};
    std::optional<PartKeeper> keeping;
    if (plan.offload) {
        keeping.emplace(m_store, plan, upscaler.weightBytes(), !model.loras.empty(), stop,
                        [&sink](std::uint64_t bytes, std::uint64_t total) { sink.loading(bytes, total); });
        sink.warning("memory is short: text encoders and UNets are read when they are needed and go again");
    }
    PartKeeper *const keeper = keeping ? &*keeping : nullptr;
    UsedModels used(m_store, model, request, sink, stop, keeper);
    const TaskModels models = used.forTask();
    if (!keeper) m_store.makeRoom(plan.run() + plan.merged + upscaler.weightBytes());
    upscaler.fit(plan, sink);
    useRows(plan, models, sink);
    TaskTools tools = toolsOf(used, request, upscaler, stop);
    tools.kept = &m_kept;
    tools.drawing = drawingOf(model, request);
    if (keeper) tools.codes = [keeper] { keeper->code(); };
    if (m_store.budget() > 0)
        tools.room = [this, use = useOf(model, request), plan, &upscaler] {
            const std::uint64_t room = codingRoom(use, plan);
            return room - std::min(room, upscaler.weightBytes());
        };
    std::unique_ptr<ParkedTask> task =
        drawFinished(models, request, std::move(tools), upscaler, sink, stop, left ? left->task.get() : nullptr);
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
