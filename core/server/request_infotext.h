#pragma once

#include "core/base/expected.h"
#include "core/base/json.h"
#include "core/params/param_table.h"

#include <string>
#include <vector>

namespace sg {

class ModelLibrary;

namespace server {

/// A1111's field `infotext`: fills the rows that neither the body nor its override_settings send with what a picture's
/// infotext says, and takes the field out of the body. Its model is one of the library's, by hash, else by name.
/// `notes` get what could not be used; with `strict` that is an error.
/// Returns the rows that were filled. Errors  InvalidArgument, TooLarge, subject infotext.
Expected<std::vector<std::string>> fillFromInfotext(Json &fields, const ParamTable &rows, const ModelLibrary &library,
                                                    bool strict, std::vector<std::string> &notes);

/// An error about a row that the infotext filled, as one about `infotext`; any other as it is.
Error namingInfotext(Error error, const std::vector<std::string> &filled);

}  // namespace server
}  // namespace sg
