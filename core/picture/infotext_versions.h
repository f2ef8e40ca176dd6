#pragma once

#include "core/params/param_table.h"
#include "core/picture/infotext.h"

namespace sg {

/// Sets in `params` what an infotext of A1111 or Forge means without saying it: noise of a GPU, and what versions
/// before 1.6, 1.7 and 1.8 did otherwise. A text that says what it wants, or that another program wrote, stays as it
/// is. Source  A1111 1.10.1, its defaults of missing keys and its infotext versions: behaviour.
void addWhatOldVersionsDid(ParsedInfotext &parsed, const ParamTable &table);

}  // namespace sg
