#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string_view>

namespace sg::nn {

/// Whether this is how torch or the system says that there is no memory. torch's CPU allocator has no exception of its
/// own.
inline bool isOutOfMemory(const std::exception &problem)
{
    if (dynamic_cast<const c10::OutOfMemoryError *>(&problem) || dynamic_cast<const std::bad_alloc *>(&problem))
        return true;
    if (!dynamic_cast<const c10::Error *>(&problem)) return false;
    const std::string_view text = problem.what();
    return text.find("can't allocate memory") != std::string_view::npos ||
           text.find("not enough memory") != std::string_view::npos;
}

}  // namespace sg::nn
