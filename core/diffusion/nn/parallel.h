#pragma once

#include <cstdint>
#include <functional>

namespace sg::nn {

/// work(begin, end) for parts of 0..count, on torch's threads. Every thread gets one part, so the parts depend only on
/// the number of threads.
void parallelFor(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)> &work);

/// Of those threads, how many there are, and within `work` which one it is.
std::int64_t threadCount();
std::int64_t threadNumber();

}  // namespace sg::nn
