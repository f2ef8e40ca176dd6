#pragma once

#include "core/params/param_values.h"

#include <string>

namespace sg::test {

inline const ParamTable &table()
{
    return ParamTable::standard();
}

/// The parse of a body with this one field.
inline Expected<ParsedParams> parseField(const std::string &key, const Json &value, const ParamTable &rows = table(),
                                         ParseMode mode = ParseMode::Strict)
{
    Json body = Json::object();
    body[key] = value;
    return parseParams(body, rows, mode);
}

inline bool namesField(const Expected<ParsedParams> &parsed, const std::string &key)
{
    return !parsed && parsed.error().code == ErrorCode::InvalidArgument && parsed.error().subject == key &&
           parsed.error().message.find(key) != std::string::npos;
}

}  // namespace sg::test
