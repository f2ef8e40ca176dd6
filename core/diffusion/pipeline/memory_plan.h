#pragma once

#include "core/diffusion/pipeline/checkpoint_config.h"
#include "core/modelfile/tensor_index.h"
#include "core/modelfile/upscaler_file.h"
#include "core/params/generation_request.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sg {

/// Bytes of one of its parts, as they will lie in memory.
struct PlannedPart {
    std::uint64_t weights = 0;
    std::uint64_t paged = 0;
    std::uint64_t own() const { return weights - paged; }
};

/// A checkpoint as a plan sees it: what its header says, and what of it is in memory.
struct PlannedModel {
    CheckpointConfig config;
    std::uint64_t weights = 0;  ///< as they will lie in memory, all networks, without `merged`
    std::uint64_t paged = 0;  ///< … what of it are pages of the mapped file, which the system can drop and read again
    std::uint64_t held = 0;   ///< of weights - paged + merged, what is there already
    PlannedPart texts = {}, unet = {};  ///< parts of weights and paged that may go while nothing needs them
    std::uint64_t merged = 0;           ///< what LoRAs change of them, which lies beside them
    bool adapted = false;               ///< LoRAs are merged over text encoders and UNet: the two come and go together
};

/// An autoencoder of a file of its own.
struct PlannedVae {
    std::optional<VaeConfig> config;  ///< none of a tiny one, which takes less than any other
    PlannedPart weights = {};
};

/// An upscaler of pictures that a run uses beside its checkpoints, and what it has to do.
struct PlannedUpscaler {
    UpscalerConfig config;
    std::uint64_t weights = 0;           ///< bytes, as they will lie in memory
    std::int64_t tile = 192;             ///< pixels of a tile's side that is wanted; 0: whole pictures
    std::int64_t width = 0, height = 0;  ///< of the largest picture that goes through it
};

/// Where a run computes.
struct PlanPlace {
    bool onCpu = true;
    std::uint64_t available = 0;  ///< bytes that weights and run may take beside what is held
    int numberBytes() const { return onCpu ? 4 : 2; }
};

/// What a run takes at its peak, computed from shapes before it begins, and what becomes smaller so that it fits.
/// Units  bytes.
struct MemoryPlan {
    std::uint64_t weights = 0;      ///< of all checkpoints that it names, and of its upscaler
    std::uint64_t paged = 0;        ///< … of mapped files
    std::uint64_t held = 0;         ///< … of the rest, what is there already
    std::uint64_t merged = 0;       ///< … of what is not, what LoRAs change
    std::uint64_t activations = 0;  ///< of the denoising network, with `rows`
    std::uint64_t vae = 0;          ///< of coding one picture, in tiles when `tiled`
    std::uint64_t upscaler = 0;     ///< of enlarging `upscalerTile` pixels of a picture
    std::uint64_t pictures = 0;     ///< latents, start pictures and pictures on their way out
    std::uint64_t available = 0;
    std::int64_t rows = 0;          ///< of the network's batch, computed together
    std::int64_t allRows = 0;       ///< of the whole batch: each picture's parts and the negative prompt
    std::int64_t upscalerTile = 0;  ///< pixels of a tile's side; 0: whole pictures, or there is no upscaler
    std::uint64_t peak = 0;         ///< of own weights and run together, when `offload`
    bool tiled = false;
    bool offload = false;  ///< text encoders and UNets are here only while they are used
    bool fits = true;

    /// What the run itself takes beside weights.
    std::uint64_t run() const { return std::max({activations, vae, upscaler}) + pictures; }
    /// What has to be found: nothing of it can be dropped while the run computes.
    std::uint64_t needed() const
    {
        if (offload) return peak > held ? peak - held : 0;
        return weights - paged - held + run();
    }
    /// English, with the numbers.
    std::string text() const;
};

/// What lies in memory of a checkpoint's weights. `index` is the canonical one that the config was made from.
PlannedModel plannedModel(const TensorIndex &index, CheckpointConfig config, bool onCpu);

/// The same of an autoencoder's. Errors  throws Failure UnusableFile.
PlannedVae plannedVae(const TensorIndex &index, bool onCpu);
/// The checkpoint with that one beside its own. `held`: of its own weights, what is there already.
PlannedModel withVae(PlannedModel model, const PlannedVae &vae, std::uint64_t held);

/// The plan of a run with these checkpoints: the model first, then hires fix's and the refiner, where there are any.
/// Where it does not fit, fewer rows are computed together; then text encoders and UNets are brought when they are
/// needed and go when another needs the room; then pictures are enlarged in smaller tiles, and coded in tiles. When
/// that is not enough, `fits` is false.
MemoryPlan planRun(const std::vector<PlannedModel> &models, const GenerationRequest &request, const PlanPlace &place,
                   const std::optional<PlannedUpscaler> &upscaler = {});

}  // namespace sg
