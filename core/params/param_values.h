#pragma once

#include "core/base/json.h"
#include "core/params/param_table.h"

#include <cassert>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// A full set of values for a table: every key has one, each of its spec's type.
class ParamValues {
public:
    ParamValues() = default;
    static ParamValues defaults(const ParamTable &table);
    static ParamValues formValues(const ParamTable &table);

    /// The value; asking for a key that is not there or for another type is a bug.
    template <class T>
    const T &get(std::string_view key) const
    {
        const auto it = m_values.find(key);
        assert(it != m_values.end());
        return std::get<T>(it->second);
    }
    const ParamValue *find(std::string_view key) const;
    void set(std::string_view key, ParamValue value);

    /// All values as a flat object, in the table's order, with the API's field names.
    Json toJson(const ParamTable &table) const;

    bool operator==(const ParamValues &) const = default;

private:
    std::map<std::string, ParamValue, std::less<>> m_values;
};

/// A request as parsed: values, and what was corrected or ignored on the way.
struct ParsedParams {
    ParamValues values;
    std::vector<std::string> notes;  ///< English, one sentence each: the reply's x_notes
};

enum class ParseMode { Lenient, Strict };

/// Reads A1111's request body (docs/api.md). A field that is absent or null takes its default. A number out of range or
/// a value of the wrong type is an error; unknown names and fields are corrected or ignored and noted, or in Strict
/// mode errors. Also checks what needs several fields (pixels of the whole task, start pictures and batch).
/// sampler_index and "DPM++ 2M Karras" are resolved here. Errors  InvalidArgument, subject = the field.
Expected<ParsedParams> parseParams(const Json &body, const ParamTable &table, ParseMode mode = ParseMode::Lenient);

/// One value as JSON, and back (numbers without a fraction are accepted as integers).
Json toJson(const ParamValue &value);
Expected<ParamValue> valueFromJson(const ParamSpec &spec, const Json &json);

}  // namespace sg
