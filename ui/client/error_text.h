#pragma once

#include "core/base/error.h"

#include <QString>

namespace sg::ui {

/// The sentence that the window shows for an error: what kind of failure it is, translated, then the details as the
/// server wrote them.
QString errorText(const Error &error);

}  // namespace sg::ui
