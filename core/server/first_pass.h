#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/params/param_table.h"

namespace sg::server {

/// A1111's older fields of hires fix in a body of txt2img. With enable_hr, firstphase_width and firstphase_height are
/// the size of the first pass, and width and height the size that hires fix brings it to: they become width, height,
/// hr_resize_x and hr_resize_y. Without enable_hr they stay for the parser's note.
/// Errors  InvalidArgument, subject = the field: a size that its row refuses, only one of the two, hr_resize_* beside
/// them, a firstpass_image.
Expected<void> readFirstPass(Json &fields, const ParamTable &rows);

}  // namespace sg::server
