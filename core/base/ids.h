#pragma once

#include <string>
#include <string_view>

namespace sg {

/// `length` random characters of [0-9A-Za-z], from the system's generator; fit for ids and tokens (5.95 bits each).
std::string randomId(int length = 10);

/// [A-Za-z0-9_][A-Za-z0-9_-]{0,127}: what a client may choose as a task's id.
bool isTaskId(std::string_view text);

}  // namespace sg
