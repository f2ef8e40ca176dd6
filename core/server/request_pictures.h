#pragma once

#include "core/base/expected.h"
#include "core/control/task.h"
#include "core/params/param_table.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sg::server {

/// Files of the object store by the text with which a request names them.
using StoredPictures = std::map<std::string, std::string>;

/// What stands in a request's picture fields, decoded as far as the file's header.
struct RequestPicture {
    std::string row;
    std::string bytes;
    std::string sha256;  ///< hexadecimal
    std::string extension;
    int width = 0;
    int height = 0;
};

inline constexpr std::size_t kMaxRequestPictureBytes = 64u << 20;     ///< of all pictures of a request
inline constexpr std::int64_t kMaxRequestPixels = 128 * 1024 * 1024;  ///< of all pictures of a request

/// The file in base64 or a data URI as clients send it: some break it into lines. Errors  InvalidArgument.
Expected<std::string> decodePictureText(const std::string &text);

/// A text in a picture field that names a stored picture, and the first place where it stands.
struct StoredPictureName {
    std::string text;
    std::string row;
    std::string place;  ///< "init_images[1]", "mask"
};

/// The texts in picture fields that name stored pictures (ending .png, .jpg, .jpeg, .webp), each once: to be read
/// before takePictures(), which gets them in `stored`.
std::vector<StoredPictureName> storedPictureNames(const Json &body, const ParamTable &table);
/// The object that such a text means: "images/…", or "image/…" as the article writes.
/// Errors  InvalidArgument for any other folder, subject = the row, the message names the place.
Expected<std::string> storedPictureObject(const StoredPictureName &name);

/// Takes the pictures out of the body: base64, data URI, or the name of a stored one. What stays in the body is their
/// size and hash, so that it can be stored, echoed and compared.
/// Errors  InvalidArgument (no base64, a URL, wrong type), UnusableFile (not a
/// picture), TooLarge, NotFound (no such stored picture); subject = the field, the message says which of them.
Expected<std::vector<RequestPicture>> takePictures(Json &body, const ParamTable &table, const StoredPictures &stored);

/// Names the pictures for a task, and puts the names into the fields of `body`, which is then ready to be parsed.
std::vector<InputPicture> namePictures(std::vector<RequestPicture> pictures, const std::string &taskId,
                                       const ParamTable &table, Json &body);

}  // namespace sg::server
