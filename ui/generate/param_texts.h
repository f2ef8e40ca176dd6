#pragma once

#include "core/params/param_spec.h"

#include <QString>

namespace sg::ui {

// A row's texts in the user's language (context "Parameters"); a row that has no translation is shown in English.
QString labelOf(const ParamSpec &spec);
QString helpOf(const ParamSpec &spec);
/// Of a fixed choice: samplers keep their names, words ("Automatic") are translated.
QString choiceText(const std::string &choice);
QString unitOf(const ParamSpec &spec);

}  // namespace sg::ui
