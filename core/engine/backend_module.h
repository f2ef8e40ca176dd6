#pragma once

#include "core/engine/backend.h"

#include <cstdint>
#include <memory>
#include <string>

namespace sg::engine {

struct BackendOptions {
    int threads = 0;             ///< torch's; 0: as many as there are cores
    std::string device = "cpu";  ///< "cpu" or "cuda:N"
    std::uint64_t budget = 0;    ///< bytes; see Backend::setBudget
};

/// What the module exports, as `serigraphMakeBackend`. Returns null and fills the error when it cannot.
using MakeBackend = Backend *(const BackendOptions &options, Error &error);

/// Loads the module that links libtorch (serigraph-torch.so, beside the program or in ../lib/serigraph) and makes its
/// backend. A module, because linking half a gigabyte of libraries costs 0.3 s at each start, which the null engine
/// need not pay, and because torch's environment must be set before its libraries are loaded. Errors  EngineFailed when
/// the module or a library that it needs is missing.
Expected<std::unique_ptr<Backend>> loadTorchBackend(const BackendOptions &options);

}  // namespace sg::engine
