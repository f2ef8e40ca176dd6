#pragma once

#include "core/base/expected.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/tensor_index.h"

#include <optional>
#include <string>

namespace sg {

/// What a checkpoint's file says that its network predicts, and where it says so.
struct PredictionSaid {
    bool v = false;  ///< else epsilon
    std::string where;
};
/// Nothing: it says nothing. Errors  UnusableFile for metadata that say something else, subject = their key.
Expected<std::optional<PredictionSaid>> predictionSaid(const TensorIndex &index);

/// Where the file says that its last noise level is all noise; empty: it does not.
std::string zeroTerminalSnrSaid(const TensorIndex &index);

/// What sets a checkpoint apart within its family: "inpainting", "editing", "refiner", "v prediction", "zero terminal
/// SNR", separated by commas. Keys  canonical names.
std::string checkpointVariant(const TensorIndex &index, BaseFamily family);

/// Why a checkpoint whose family is known cannot be drawn with all the same: it needs other noise levels or reads what
/// nobody gives it. Empty: nothing of that is seen. Keys  canonical names.
std::string refusedRelative(const TensorIndex &index);

}  // namespace sg
