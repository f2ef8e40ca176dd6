#pragma once

#include "core/base/json.h"
#include "core/params/param_table.h"

#include <string>
#include <string_view>

namespace sg::server {

/// The body of GET /parameters.
Json parametersJson(const ParamTable &table);

/// docs/parameters.md; a test fails when the file is not this.
std::string parametersMarkdown(const ParamTable &table);

/// "prompt", "model", "sampling", …
std::string_view groupName(ParamGroup group);

/// The OpenAPI schema of one row.
Json paramSchema(const ParamSpec &spec);

}  // namespace sg::server
