#pragma once

#include "core/base/image.h"
#include "core/diffusion/nn/load_watch.h"
#include "core/diffusion/pipeline/inspection.h"

#include <cstdint>
#include <string>

namespace sg {

/// Where a task stands after a sampler step or a decoded picture.
struct StepProgress {
    std::int64_t step = 0;  ///< of the running batch, 1…steps
    std::int64_t steps = 0;
    double sigma = 0;         ///< the noise level that the step left
    std::int64_t image = 0;   ///< index of the batch's first picture
    std::int64_t images = 0;  ///< of the whole task
    double fraction = 0;      ///< of the whole task, 0…1
    bool sampled = true;      ///< false: a picture was decoded, not a step made
};

/// Receives what a running task produces. Thread  called by the thread that computes; must not throw.
class GenerationSink {
public:
    virtual ~GenerationSink() = default;
    virtual void progress(const StepProgress &progress) = 0;
    /// The work goes on; called far oftener than anybody needs to know.
    virtual void alive() {}
    /// As a LoadWatch.
    virtual void loading(std::uint64_t, std::uint64_t) {}
    /// Whether a preview made now would be sent; asked before one is computed.
    virtual bool previewDue() = 0;
    virtual void preview(std::int64_t step, std::int64_t image, Image picture) = 0;
    virtual void image(std::int64_t index, Image picture) = 0;
    /// Whether the task is to be left at the next step boundary; asked there.
    virtual bool pauseWanted() { return false; }
    /// What of the networks' work is to be shown, while the task runs; null: nothing.
    virtual const Inspection *inspection() const { return nullptr; }
    virtual void found(Finding) {}
    /// Something that the user should know of the finished task, in English. Saying it twice is saying it once.
    virtual void warning(std::string) {}
    /// What the task's reading of a model rests on: why it was taken for its family, … As a warning, once.
    virtual void reason(std::string) {}
    /// What the infotext of the pictures that follow should say beside the request: "VAE", "Lora hashes", … The last
    /// value of a key counts; an empty one takes it back.
    virtual void fact(std::string, std::string) {}
};

}  // namespace sg
