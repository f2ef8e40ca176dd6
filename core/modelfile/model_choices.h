#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"

#include <optional>
#include <string_view>

namespace sg {

/// What the user says of a checkpoint. It counts before what the file, the `.yaml` beside it and the table of families
/// say; what is not chosen is detected.
struct ModelChoices {
    std::string_view family;  ///< "sd1", "sd2", "sdxl", "sdxl-refiner", which live forever; empty: detected
    std::optional<bool> predictsV;
    std::optional<bool> zeroTerminalSnr;
    bool ema = false;  ///< the UNet's weights are those under model_ema.*

    bool any() const { return *this != ModelChoices{}; }
    bool operator==(const ModelChoices &) const = default;
};

/// {"family", "prediction": "epsilon" or "v", "zeroTerminalSnr", "ema"}: what is null, "automatic" or missing is not
/// chosen. Errors  InvalidArgument, subject = the field, also for one that is not known.
Expected<ModelChoices> parseModelChoices(const Json &json);
/// The same object, without what is not chosen.
Json choicesJson(const ModelChoices &choices);

}  // namespace sg
