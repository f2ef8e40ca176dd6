#include "core/diffusion/nn/read_ahead.h"

#include <cstdint>

namespace sg::nn {

std::function<void()> readAhead(const std::vector<std::shared_ptr<const MappedFile>> &files, const std::string &subject,
                                const std::stop_token &stop, const LoadWatch &watch)
{
    std::uint64_t total = 0, before = 0;
    for (const auto &file : files)
        total += file->size();
    for (const auto &file : files) {
        file->prefetch([&](std::size_t bytes) {
            if (stop.stop_requested()) throw Failure{Error{ErrorCode::Cancelled, "loading was cancelled", subject}};
            if (watch) watch(before + bytes, total);
        });
        before += file->size();
    }
    if (!watch) return {};
    return [watch, total] { watch(total, total); };
}

}  // namespace sg::nn
