#include "core/base/version.h"

namespace sg {

std::string_view version()
{
    return SG_VERSION;
}

}  // namespace sg
