#pragma once

#include "core/base/expected.h"
#include "core/diffusion/pipeline/generation_sink.h"
#include "core/diffusion/pipeline/memory_plan.h"
#include "core/modelfile/model_choices.h"
#include "core/params/generation_request.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::engine {

/// A LoRA, an embedding or a VAE that a request may use, under a name that its prompt may say.
struct NamedFile {
    std::string name;
    std::string path;
    std::string hash;           ///< may be empty
    ModelChoices choices = {};  ///< of a checkpoint
};

/// The checkpoint that a request names: the path is what counts, name and hash go into the infotext.
struct ModelRef {
    std::string path;
    std::string name;
    std::string hash;
    ModelChoices choices = {};
    std::vector<NamedFile> loras = {}, embeddings = {};
    std::optional<NamedFile> vae = {};
    std::vector<NamedFile> taesd = {};                  ///< tiny autoencoders for previews
    std::optional<NamedFile> refiner = {}, hires = {};  ///< checkpoints of their own
    std::optional<NamedFile> upscaler = {};             ///< hires fix's or the start pictures', a file
    std::vector<std::string> keep = {};  ///< paths of models that will be wanted soon: the last to make room
};

struct LoadReport {
    std::string family;  ///< "sd1", …
    std::uint64_t bytes = 0;
    std::vector<std::string> warnings;
    std::vector<std::string> reasons;  ///< what the choice of family, prediction … rests on; English
};

struct ResidentModel {
    std::string path;
    std::uint64_t bytes = 0;   ///< with its VAE from elsewhere and its LoRAs
    std::uint64_t mapped = 0;  ///< what of it are pages of mapped files
    std::uint64_t vae = 0, loras = 0;
};

/// A generate request that was left at a step boundary: what it needs to go on, as a value.
class ParkedRun {
public:
    virtual ~ParkedRun() = default;
    virtual std::uint64_t bytes() const = 0;
};

/// What computes: torch, or nothing (null).
/// Thread  all but residentModels() and the budget's functions are called by one thread, the one that made it.
/// Errors  Cancelled when the token asks; whatever else the work meets. Nothing throws.
class Backend {
public:
    virtual ~Backend() = default;
    virtual Expected<LoadReport> load(const ModelRef &model, const LoadWatch &watch, std::stop_token stop) = 0;
    /// Loads the model when it is not resident. Returns null when all is drawn; what is left where the sink wanted a
    /// pause. Given that again as `from`, with the same model and request, it goes on.
    virtual Expected<std::unique_ptr<ParkedRun>> generate(const ModelRef &model, const GenerationRequest &request,
                                                          GenerationSink &sink, std::stop_token stop,
                                                          const ParkedRun *from = nullptr) = 0;
    /// What generate would take of memory. Reads headers only.
    virtual Expected<MemoryPlan> plan(const ModelRef &model, const GenerationRequest &request) = 0;
    /// Of all models when no path is given.
    virtual void unload(const std::optional<std::string> &path) = 0;
    /// Nothing has been asked for a while: memory that only speed needs can go.
    virtual void idle() {}
    /// What models and runs may take together; 0: what the device has, but for a reserve. Thread  any.
    virtual void setBudget(std::uint64_t) {}
    virtual std::uint64_t budget() const { return 0; }
    /// Thread  any.
    virtual std::vector<ResidentModel> residentModels() const = 0;
};

}  // namespace sg::engine
