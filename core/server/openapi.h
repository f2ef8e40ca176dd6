#pragma once

#include "core/base/json.h"
#include "core/params/param_table.h"
#include "core/server/http/router.h"

#include <string>
#include <vector>

namespace sg::server {

/// The OpenAPI 3.0.3 document: one operation a route, request schemas from the parameter table with this server's
/// limits and the checkpoints that it knows.
Json openApiDocument(const http::Router &router, const ParamTable &table, const std::vector<std::string> &models = {});

}  // namespace sg::server
