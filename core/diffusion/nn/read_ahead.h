#pragma once

#include "core/diffusion/nn/load_watch.h"
#include "core/diffusion/nn/mapped_file.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace sg::nn {

/// Asks the system for the files, one after the other. Returns what tells `watch`, once all is asked for, that the
/// reading goes on: for MappedFile::await and after each piece of work; empty where nobody watches.
/// Errors  throws Failure Cancelled, with `subject`.
std::function<void()> readAhead(const std::vector<std::shared_ptr<const MappedFile>> &files, const std::string &subject,
                                const std::stop_token &stop, const LoadWatch &watch);

}  // namespace sg::nn
