#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/server/request_pictures.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sg::server {

/// Turns A1111's scripts that are rows here into those rows: script_name "loopback", "poor man's outpainting",
/// "outpainting mk2" and "img2img alternative test" with their script_args, alwayson_scripts "Soft Inpainting". What is
/// not there stays in the body for the parser's note; missing arguments are the scripts' own defaults. The two that
/// outpaint take the masks off the body, as they make their own.
/// Errors  InvalidArgument, subject script_args or alwayson_scripts.
Expected<void> readScripts(Json &fields, const std::vector<RequestPicture> &pictures, std::vector<std::string> &notes);

/// With outpaint_*, width and height are those of the grown picture, to the next multiple of 8.
/// Errors  InvalidArgument, subject init_images: start pictures of different sizes, a side over `mostSide`.
Expected<void> sizeForOutpainting(Json &fields, const std::vector<RequestPicture> &pictures, std::int64_t mostSide);

}  // namespace sg::server
