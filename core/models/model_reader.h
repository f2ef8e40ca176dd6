#pragma once

#include "core/models/model_record.h"

#include <string>

namespace sg {

/// Raised when the reader learns to tell more: what the database remembers of older readers is read again.
inline constexpr int kModelReaderVersion = 5;

/// The type of what turns out to be no model at all, an ordinary picture: remembered, and never listed.
inline constexpr const char *kNoModel = "picture";

/// What a file is, by its content: type, family, status ("unloaded" or "unusable" with the reason), title, description,
/// native size. Name, hash and times are left as they are. Never fails: a file that cannot be read is unusable.
ModelRecord readModelRecord(const std::string &path);

}  // namespace sg
