#pragma once

#include "core/base/expected.h"
#include "core/base/image.h"
#include "core/params/generation_request.h"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::engine {

/// The checkpoint that a request names: the path is what counts, name and hash go into the infotext.
struct ModelRef {
    std::string path;
    std::string name;
    std::string hash;
};

struct LoadReport {
    std::string family;  ///< "sd1", …
    std::uint64_t bytes = 0;
    std::vector<std::string> warnings;
};

struct ResidentModel {
    std::string path;
    std::uint64_t bytes = 0;
};

/// Where a task stands after a sampler step or a decoded picture.
struct StepProgress {
    std::int64_t step = 0;  ///< of the running batch, 1…steps
    std::int64_t steps = 0;
    double sigma = 0;
    std::int64_t image = 0;   ///< index of the batch's first picture
    std::int64_t images = 0;  ///< of the whole task
    double fraction = 0;      ///< of the whole task, 0…1
    bool sampled = true;      ///< false: a picture was decoded, not a step made
};

/// Receives what a running task produces.
/// Thread  called by the thread that computes; must not throw.
class GenerationSink {
public:
    virtual ~GenerationSink() = default;
    virtual void progress(const StepProgress &progress) = 0;
    /// Whether a preview made now would be sent; asked before one is computed.
    virtual bool previewDue() = 0;
    virtual void preview(std::int64_t step, std::int64_t image, Image picture) = 0;
    virtual void image(std::int64_t index, Image picture) = 0;
};

/// What computes: torch, or nothing (null).
/// Thread  all but residentModels() are called by one thread, the one that made it.
/// Errors  Cancelled when the token asks; whatever else the work meets. Nothing throws.
class Backend {
public:
    virtual ~Backend() = default;
    virtual Expected<LoadReport> load(const ModelRef &model, std::stop_token stop) = 0;
    /// Loads the model when it is not resident.
    virtual Expected<void> generate(const ModelRef &model, const GenerationRequest &request, GenerationSink &sink,
                                    std::stop_token stop) = 0;
    /// Of all models when no path is given.
    virtual void unload(const std::optional<std::string> &path) = 0;
    /// Thread  any.
    virtual std::vector<ResidentModel> residentModels() const = 0;
};

}  // namespace sg::engine
