#pragma once

#include "core/params/param_spec.h"

#include <vector>

namespace sg {

inline constexpr double kMostTextBytes = 64 * 1024;  ///< of a prompt

/// The parameter table's rows of image-to-image and inpainting, and of hires fix. Keys, defaults and numbers as
/// A1111 1.10.1's API; the form's values as its form.
std::vector<ParamSpec> imageToImageRows();
std::vector<ParamSpec> hiresFixRows();

inline constexpr const char *kSameSampler = "Use same sampler";
inline constexpr const char *kSameSchedule = "Use same scheduler";
inline constexpr const char *kSameCheckpoint = "Use same checkpoint";

}  // namespace sg
