#pragma once

#include "core/modelfile/tensor_index.h"

#include <string>
#include <string_view>

namespace sg {

/// What a model file is for.
enum class ModelKind {
    Unknown,
    Checkpoint,
    Lora,
    Vae,
    Embedding,
    ControlNet,
    Upscaler,
    Taesd,
    TextEncoder,
    Hypernetwork
};

/// Which networks it belongs to. Other: recognised, of a later family (SD3, Flux, …) that is not supported here.
enum class BaseFamily { Unknown, Sd1, Sd2, Sdxl, Other };

/// "checkpoint", "lora", "vae", "embedding", "controlNet", "upscaler", "taesd", "textEncoder", "hypernetwork",
/// "unknown": the API's words.
std::string_view modelKindName(ModelKind kind);
ModelKind modelKindFromName(std::string_view name);
/// "sd1", "sd2", "sdxl", "other", "unknown".
std::string_view familyName(BaseFamily family);
BaseFamily familyFromName(std::string_view name);

struct ModelDescription {
    ModelKind kind = ModelKind::Unknown;
    BaseFamily family = BaseFamily::Unknown;
    std::string reason;        ///< one English line: which tensors told it
    std::string variant = {};  ///< of a checkpoint: checkpointVariant()
    std::string refusal = {};  ///< of a checkpoint: refusedRelative()
};

/// Tells from names and shapes what a file is; its own name and folder play no part.
ModelDescription describeModel(const TensorIndex &index);

}  // namespace sg
