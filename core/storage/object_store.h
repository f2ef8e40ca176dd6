#pragma once

#include "core/base/expected.h"
#include "core/storage/unique_fd.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sg {

/// Pictures in a folder, by names such as "images/default/Ab3_1.png". A name either has all of its bytes, safe on the
/// disk, or is not there. Thread  one at a time; the same names from several processes are the lock's business
/// (DataDirLock). Errors  InvalidArgument for a name that breaks a rule; DiskFull; NotFound; Internal with the system
/// call that failed.
class ObjectStore {
public:
    static constexpr std::size_t kMaxObject = 256u << 20;

    /// Makes the folder when it is not there and removes temporary files that a crash left.
    static Expected<ObjectStore> open(const std::filesystem::path &root);

    /// Parts of printable UTF-8 without "..", backslash or leading dot, 1 to 200 bytes each, '/' between them.
    static Expected<void> checkName(std::string_view name);
    /// One such part: what a user's name must be.
    static Expected<void> checkPart(std::string_view part);

    /// Temporary file in the same folder, write, fsync, rename, fsync of the folder. An object of this name is
    /// replaced.
    Expected<void> write(std::string_view name, std::string_view bytes);
    Expected<std::string> read(std::string_view name) const;
    /// An object that is not there counts as removed.
    Expected<void> remove(std::string_view name);

    /// The folders in a folder ("inputs"), by their names; none when it is not there.
    Expected<std::vector<std::string>> folders(std::string_view name) const;
    /// Removes a folder with the objects in it; folders below it stay.
    Expected<void> removeFolder(std::string_view name);

private:
    explicit ObjectStore(UniqueFd root) : m_root(std::move(root)) {}
    Expected<UniqueFd> openFolder(std::string_view name, bool make) const;
    Expected<std::vector<std::string>> entries(std::string_view folder, bool folders) const;

    UniqueFd m_root;
};

}  // namespace sg
