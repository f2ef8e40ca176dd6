#pragma once

#include "core/diffusion/clip/clip_text_config.h"
#include "core/diffusion/sampling/prediction.h"
#include "core/modelfile/model_kind.h"
#include "core/modelfile/tensor_index.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// Samplers' latents to RGB in -1..1: a row for each channel, and perhaps one to add.
using LatentRgb = std::vector<std::array<float, 3>>;

/// The numbers that go into the vector conditioning behind the pooled text.
enum class SizeNumbers {
    None,       ///< no vector conditioning
    Sizes,      ///< original height and width, crop's top and left, target height and width
    Aesthetic,  ///< original height and width, crop's top and left, aesthetic score
};
std::int64_t sizeNumberCount(SizeNumbers numbers);

/// A text encoder of a family: where its tensors are, and how it is read.
struct TextPlace {
    std::vector<std::string_view> prefixes;  ///< the first that the file has
    ClipReading reading;
    /// Layers of the published network. Files that were converted from diffusers lack the last one where the family
    /// never reads it; then what is read is the last of those that are there.
    std::int64_t layers = 0;
};

/// What no tensor's shape says about a family. This table is the only place that knows: what computes asks the
/// CheckpointConfig that is made from it and from the file.
struct ModelFamily {
    BaseFamily base;
    std::string_view name;   ///< "sd1", "sd2", "sdxl", "sdxl-refiner"
    std::string_view title;  ///< for people
    sampling::Prediction prediction;
    bool predictionVaries;  ///< both kinds were published with the same shapes: the network itself is asked last
    double latentScale;
    LatentRgb latentToRgb;
    std::vector<TextPlace> texts;  ///< in the order of their rows in the context
    SizeNumbers sizes;
    bool fileAlphas;           ///< whether noise levels that the file brings along count
    bool emptyNegativeIsZero;  ///< an empty negative prompt is zeros, not the encoded empty text
};

const std::vector<ModelFamily> &modelFamilies();

/// Of one of the table's names.
const ModelFamily &chosenFamily(std::string_view name);
/// For people; "no known family" for one that has no row.
std::string_view familyTitle(BaseFamily family);
/// Where the family's text encoders should be and are not; empty when all are there.
std::string missingTexts(const TensorIndex &index, const ModelFamily &family);

/// The family whose text encoders the file has. Errors  throws Failure UnusableFile, naming what is missing.
const ModelFamily &findFamily(const TensorIndex &index, const ModelDescription &what);

}  // namespace sg
