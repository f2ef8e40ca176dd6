#include "core/base/json.h"

#include <cmath>
#include <string>
#include <unordered_set>
#include <vector>

namespace sg {
namespace {

/// Builds the value while it checks what nlohmann-json would let pass.
class StrictReader final : public nlohmann::json_sax<Json> {
public:
    explicit StrictReader(const JsonLimits &limits) : m_limits(limits) {}

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(number_integer_t value) override { return add(value); }
    bool number_unsigned(number_unsigned_t value) override
    {
        return add(value);
    }
    bool number_float(number_float_t value, const string_t &text) override
    {
        if (!std::isfinite(value)) return refuse("number out of range: " + text.substr(0, 40));
        if (text.find_first_of(".eE") == std::string::npos) return refuse("integer does not fit 64 bits: " + text.substr(0, 40));
        return add(value);
    }
    bool string(string_t &value) override
    {
        if (value.find('\0') != std::string::npos) return refuse("string contains U+0000");
        return add(std::move(value));
    }
    bool binary(binary_t &) override { return refuse("binary value"); }
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }
    bool key(string_t &name) override
    {
        if (name.find('\0') != std::string::npos) return refuse("key contains U+0000");
        if (!m_keys.back().insert(name).second) return refuse("duplicate key \"" + name.substr(0, 80) + "\"");
        m_key = std::move(name);
        return true;
    }
    bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &) override
    {
        m_error = Error{ErrorCode::InvalidArgument, "not valid JSON at byte " + std::to_string(position), {}};
        return false;
    }

    Json take() { return std::move(m_root); }
    const Error &error() const { return m_error; }

private:
    bool refuse(std::string rule)
    {
        m_error = Error{ErrorCode::InvalidArgument, "JSON: " + std::move(rule), {}};
        return false;
    }
    Json *place(Json &&value)
    {
        if (m_open.empty()) {
            m_root = std::move(value);
            return &m_root;
        }
        Json *parent = m_open.back();
        if (parent->is_array()) {
            parent->push_back(std::move(value));
            return &parent->back();
        }
        // The key is new (checked in key()), so no search through the ordered object is owed.
        auto &items = parent->get_ref<Json::object_t &>();
        items.Container::emplace_back(std::move(m_key), std::move(value));
        return &items.back().second;
    }
    bool add(Json &&value)
    {
        if (++m_values > m_limits.values) return refuse("more than " + std::to_string(m_limits.values) + " values");
        place(std::move(value));
        return true;
    }
    bool open(Json &&container)
    {
        if (static_cast<int>(m_open.size()) >= m_limits.depth)
            return refuse("nested deeper than " + std::to_string(m_limits.depth));
        if (++m_values > m_limits.values) return refuse("more than " + std::to_string(m_limits.values) + " values");
        m_open.push_back(place(std::move(container)));
        m_keys.emplace_back();
        return true;
    }
    bool close()
    {
        m_open.pop_back();
        m_keys.pop_back();
        return true;
    }

    JsonLimits m_limits;
    Json m_root;
    std::vector<Json *> m_open;
    std::vector<std::unordered_set<std::string>> m_keys;
    std::string m_key;
    std::size_t m_values = 0;
    Error m_error{ErrorCode::InvalidArgument, "not valid JSON", {}};
};

}  // namespace

Expected<Json> parseJson(std::string_view text, const JsonLimits &limits)
{
    if (text.size() > limits.bytes)
        return fail(ErrorCode::TooLarge, "JSON of " + std::to_string(text.size()) + " bytes exceeds " + std::to_string(limits.bytes));
    if (text.substr(0, 3) == "\xEF\xBB\xBF") return fail(ErrorCode::InvalidArgument, "JSON: byte order mark at byte 0");
    StrictReader reader(limits);
    if (!Json::sax_parse(text.begin(), text.end(), &reader)) return Unexpected{reader.error()};
    return reader.take();
}

std::string dumpJson(const Json &json)
{
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sg
