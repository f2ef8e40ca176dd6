#pragma once

#include <span>
#include <string_view>

namespace sg {

/// One step of the schema: the statements that lead from version - 1 to version. A released step never changes.
struct Migration {
    int version;
    std::span<const std::string_view> statements;
};

/// All steps, oldest first; the last one's version is what this program writes.
std::span<const Migration> migrations();

}  // namespace sg
