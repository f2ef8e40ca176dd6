#include "core/diffusion/nn/parallel.h"

#include <ATen/Parallel.h>

#ifndef _OPENMP
#error "at::parallel_for would run on one thread: compile this file with OpenMP"
#endif

namespace sg::nn {

void parallelFor(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)> &work)
{
    at::parallel_for(0, count, 1, work);
}

std::int64_t threadCount()
{
    return at::get_num_threads();
}

std::int64_t threadNumber()
{
    return at::get_thread_num();
}

}  // namespace sg::nn
