#include "core/engine/torch/torch_session.h"

#include "core/base/log.h"
#include "core/diffusion/pipeline/text_to_image.h"
#include "core/engine/torch/companions.h"
#include "core/engine/torch/start_preparation.h"
#include "core/modelfile/model_kind.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <dlfcn.h>

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>

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
              const std::stop_token &stop)
        : resident(
              store.get(path, stop, [&](std::uint64_t bytes, std::uint64_t total) { sink.loading(bytes, total); })),
          companions(store, *resident, model, sink, stop)
    {
    }
    TaskModel forTask() const { return {*resident->checkpoint, resident->conditioner}; }

    std::shared_ptr<ModelStore::Resident> resident;
    Companions companions;
};

}  // namespace

Error currentError()
{
    try {
        throw;
    } catch (const Failure &failure) {
        return failure.error;
    } catch (const c10::OutOfMemoryError &problem) {
        return {ErrorCode::OutOfMemory, firstLine(problem.what_without_backtrace()), {}};
    } catch (const std::bad_alloc &) {
        return {ErrorCode::OutOfMemory, "there is not enough memory", {}};
    } catch (const c10::Error &problem) {
        const std::string text = firstLine(problem.what_without_backtrace());
        // torch's CPU allocator has no exception of its own.
        if (text.find("can't allocate memory") != std::string::npos ||
            text.find("not enough memory") != std::string::npos)
            return {ErrorCode::OutOfMemory, text, {}};
        return {ErrorCode::Internal, text, {}};
    } catch (const std::exception &problem) {
        return {ErrorCode::Internal, firstLine(problem.what()), {}};
    } catch (...) {
        return {ErrorCode::Internal, "something that is no exception was thrown", {}};
    }
}

TorchSession::TorchSession(const BackendOptions &options)
    : m_store(openDevice(options.device), precisionOf(torch::Device(options.device)))
{
    if (options.threads > 0) at::set_num_threads(options.threads);
}

Expected<LoadReport> TorchSession::load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop)
{
    Expected<LoadReport> report = guarded([&] {
        const std::shared_ptr<ModelStore::Resident> resident = m_store.get(model.path, stop, watch);
        const Checkpoint &checkpoint = *resident->checkpoint;
        return LoadReport{std::string(familyName(checkpoint.config.family)), checkpoint.bytes, checkpoint.warnings,
                          checkpoint.config.reasons};
    });
    if (!report) m_store.giveBackMemory();
    return report;
}

Expected<void> TorchSession::generate(const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                                      std::stop_token stop)
{
    Expected<void> made = guarded([&] {
        UsedModel base(m_store, model.path, model, sink, stop);
        base.companions.begin();
        std::optional<UsedModel> hires, refiner;
        TaskModels models{base.forTask()};
        if (model.hires && request.hires.enabled) {
            hires.emplace(m_store, model.hires->path, model, sink, stop);
            hires->companions.begin();
            models.hires.emplace(hires->forTask());
        }
        if (model.refiner && request.refiner.enabled) {
            refiner.emplace(m_store, model.refiner->path, model, sink, stop);
            // The model itself has nobody to hand over to.
            if (refiner->resident == (hires ? hires->resident : base.resident))
                refiner.reset();
            else
                refiner->companions.beginRefiner();
        }
        if (refiner) models.refiner.emplace(refiner->forTask());
        const StartPreparation preparation(request, base.resident->checkpoint->config.latentFactor);
        FinishingSink finishing(preparation, sink);
        const TaskTools tools{
            .enlarge = pictureEnlarger(request),
            .useNetworks =
                [&](const auto &prompts, bool larger) {
                    if (!larger || !hires) return base.companions.useLoras(prompts, larger);
                    hires->companions.goOnFrom(base.companions);
                    hires->companions.useLoras(prompts, larger);
                },
            .embeddingsUsed = [&](const auto &embeddings) { base.companions.nameEmbeddings(embeddings); }};
        drawPictures(models, request, preparation.prepared(), tools, finishing, stop);
    });
    if (!made && made.error().code == ErrorCode::OutOfMemory) m_store.giveBackMemory();
    return made;
}

void TorchSession::unload(const std::optional<std::string> &path)
{
    const Expected<void> done = guarded([&] { m_store.unload(path); });
    if (!done) logError("engine", "unload: " + done.error().message);
}

}  // namespace sg::engine
