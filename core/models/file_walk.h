#pragma once

#include "core/modelfile/file_identity.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace sg {

/// A file that may be a model, by its extension; or a folder of diffusers, which is one model.
struct FoundFile {
    std::string path;  ///< absolute
    std::string root;  ///< the folder (or file) of the list that led to it
    std::string name;  ///< path below root without extension, '/' between parts
    FileIdentity identity;
};

struct WalkResult {
    std::vector<FoundFile> files;    ///< roots in their order, paths sorted within each
    std::vector<std::string> notes;  ///< what could not be looked at, one sentence each
};

/// Walks folders with all that is below them; a root may also be one file. Each folder is entered once, whatever links
/// lead to it; what is no regular file (FIFO, device, socket) is passed over without being opened, and so is what
/// begins with a dot. `stopped` is asked at each entry.
WalkResult walkModelFiles(const std::vector<std::string> &roots, const std::function<bool()> &stopped = {});

}  // namespace sg
