#pragma once

#include "core/picture/infotext.h"

namespace sg {

/// Adds a note that names the pairs that nothing here reads: a hypernetwork, token merging, an extension's settings.
/// The picture that is drawn from the text differs by them. What only describes the picture is no such pair.
void noteWhatIsNotRead(ParsedInfotext &parsed, const ParamTable &table);

}  // namespace sg
