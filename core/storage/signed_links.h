#pragma once

#include "core/base/expected.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace sg {

/// Links to objects that work without a login until they expire: HMAC-SHA256 over the object's name and the time.
/// Thread  const functions from any thread.
class SignedLinks {
public:
    static constexpr std::int64_t kDefaultLifetime = 3600;  ///< seconds

    /// Reads the key (32 bytes, mode 0600), or makes it. Errors  Internal when the file cannot be made or has another
    /// size.
    static Expected<SignedLinks> open(const std::filesystem::path &keyFile);

    /// "/files/<name, percent-encoded>?expires=<seconds since 1970>&signature=<64 hex digits>".
    std::string link(std::string_view object, std::int64_t nowSeconds,
                     std::int64_t lifetimeSeconds = kDefaultLifetime) const;

    /// `object` decoded; the two others as they stand in the query.
    /// Errors  Forbidden when anything was changed (also the time); Expired when it was genuine.
    Expected<void> verify(std::string_view object, std::string_view expires, std::string_view signature,
                          std::int64_t nowSeconds) const;

private:
    explicit SignedLinks(std::string key) : m_key(std::move(key)) {}
    std::string signature(std::string_view object, std::string_view expires) const;

    std::string m_key;
};

}  // namespace sg
