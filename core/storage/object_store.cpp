#include "core/storage/object_store.h"

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sg {
namespace {

constexpr std::string_view kTemporary = ".tmp";
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

bool isPrintableUtf8(std::string_view text)
{
    if (!isUtf8(text)) return false;
    for (const char32_t c : decodeUtf8(text))
        // C0, DEL and C1; and the division slash, which looks like a separator.
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2215) return false;
    return true;
}

/// Splits off what is before the first '/'.
std::string_view nextPart(std::string_view &rest)
{
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    return part;
}

std::string_view lastPart(std::string_view name)
{
    return name.substr(name.rfind('/') + 1);
}

Expected<void> syncFd(int fd, std::string_view call, std::string_view subject)
{
    if (::fsync(fd) != 0) return systemError(call, subject);
    return {};
}

int removeLeftovers(const std::filesystem::path &root)
{
    int removed = 0;
    std::error_code error;
    using Iterator = std::filesystem::recursive_directory_iterator;
    for (Iterator it(root, std::filesystem::directory_options::skip_permission_denied, error); it != Iterator();
         it.increment(error)) {
        if (error) break;
        std::error_code ignored;
        if (it->is_regular_file(ignored) && it->path().extension() == kTemporary &&
            std::filesystem::remove(it->path(), ignored))
            ++removed;
    }
    return removed;
}

}  // namespace

Expected<ObjectStore> ObjectStore::open(const std::filesystem::path &root)
{
    std::error_code error;
    std::filesystem::create_directories(root, error);
    if (error) return fail(ErrorCode::Internal, "cannot make " + root.string() + ": " + error.message(), root.string());
    UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return systemError("open", root.string());
    if (const int removed = removeLeftovers(root); removed > 0)
        logInfo("storage",
                "removed " + std::to_string(removed) + " temporary files that an earlier run left in " + root.string());
    return ObjectStore(std::move(fd));
}

Expected<void> ObjectStore::checkPart(std::string_view part)
{
    const auto refuse = [&](std::string_view rule) -> Expected<void> {
        return fail(ErrorCode::InvalidArgument, "not a usable name: " + std::string(rule), "name");
    };
    if (part.empty() || part.size() > 200) return refuse("each part has 1 to 200 bytes");
    if (part.front() == '.' || part.find("..") != std::string_view::npos) return refuse("no leading dot and no \"..\"");
    if (part.back() == '.' || part.front() == ' ' || part.back() == ' ')
        return refuse("no dot at the end, no space at either end");
    if (part.find_first_of("\\/:") != std::string_view::npos) return refuse("no slash, backslash or colon in a part");
    if (part.ends_with(kTemporary)) return refuse("names ending .tmp are kept for temporary files");
    if (!isPrintableUtf8(part)) return refuse("printable UTF-8 only");
    return {};
}

Expected<void> ObjectStore::checkName(std::string_view name)
{
    if (name.size() > 1000)
        return fail(ErrorCode::InvalidArgument, "not a usable name: longer than 1000 bytes", "name");
    if (name.empty() || name.back() == '/')
        return fail(ErrorCode::InvalidArgument, "not a usable name: empty part", "name");
    std::string_view rest = name;
    while (!rest.empty())
        if (Expected<void> checked = checkPart(nextPart(rest)); !checked) return checked;
    return {};
}

/// The folder that holds `name`, walked part by part so that no link on the way is followed.
Expected<UniqueFd> ObjectStore::openFolder(std::string_view name, bool make) const
{
    UniqueFd folder(::openat(m_root.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return systemError("open", "object folder");
    std::string_view rest = name;
    for (std::string part(nextPart(rest)); !rest.empty(); part = nextPart(rest)) {
        UniqueFd next(::openat(folder.get(), part.c_str(), kFolderFlags));
        if (!next && errno == ENOENT && make) {
            if (::mkdirat(folder.get(), part.c_str(), 0777) != 0 && errno != EEXIST) return systemError("mkdir", part);
            if (Expected<void> synced = syncFd(folder.get(), "fsync of the folder above", part); !synced)
                return Unexpected{synced.error()};
            next = UniqueFd(::openat(folder.get(), part.c_str(), kFolderFlags));
        }
        if (!next && (errno == ELOOP || errno == ENOTDIR)) errno = ENOENT;
        if (!next) return systemError("open", name);
        folder = std::move(next);
    }
    return folder;
}

Expected<void> ObjectStore::write(std::string_view name, std::string_view bytes)
{
    if (Expected<void> checked = checkName(name); !checked) return checked;
    Expected<UniqueFd> folder = openFolder(name, true);
    if (!folder) return Unexpected{folder.error()};
    const std::string target(lastPart(name));
    const std::string temporary = target + "." + randomId() + std::string(kTemporary);
    Expected<void> result;
    {
        UniqueFd file(
            ::openat(folder->get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
        if (!file) return systemError("open", name);
        result = writeAll(file.get(), bytes, name);
        if (result) result = syncFd(file.get(), "fsync", name);
    }
    if (result && ::renameat(folder->get(), temporary.c_str(), folder->get(), target.c_str()) != 0)
        result = systemError("rename", name);
    if (!result) {
        ::unlinkat(folder->get(), temporary.c_str(), 0);
        return result;
    }
    result = syncFd(folder->get(), "fsync of the folder of", name);
    // Whether the name survives a power cut is unknown now, so it does not stay.
    if (!result) ::unlinkat(folder->get(), target.c_str(), 0);
    return result;
}

Expected<std::string> ObjectStore::read(std::string_view name) const
{
    if (Expected<void> checked = checkName(name); !checked) return Unexpected{checked.error()};
    const Expected<UniqueFd> folder = openFolder(name, false);
    if (!folder) return Unexpected{folder.error()};
    const std::string target(lastPart(name));
    const UniqueFd file(::openat(folder->get(), target.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno == ELOOP) errno = ENOENT;
    if (!file) return systemError("open", name);
    return readAll(file.get(), kMaxObject, name);
}

Expected<void> ObjectStore::remove(std::string_view name)
{
    if (Expected<void> checked = checkName(name); !checked) return checked;
    const Expected<UniqueFd> folder = openFolder(name, false);
    if (!folder && folder.error().code == ErrorCode::NotFound) return {};
    if (!folder) return Unexpected{folder.error()};
    const std::string target(lastPart(name));
    if (::unlinkat(folder->get(), target.c_str(), 0) != 0 && errno != ENOENT) return systemError("unlink", name);
    return {};
}

Expected<std::vector<std::string>> ObjectStore::entries(std::string_view folder, bool folders) const
{
    if (Expected<void> checked = checkName(folder); !checked) return Unexpected{checked.error()};
    // openFolder goes as far as the folder that holds a name.
    const Expected<UniqueFd> opened = openFolder(std::string(folder) + "/x", false);
    std::vector<std::string> names;
    if (!opened && opened.error().code == ErrorCode::NotFound) return names;
    if (!opened) return Unexpected{opened.error()};
    const int fd = ::fcntl(opened->get(), F_DUPFD_CLOEXEC, 0);
    DIR *const stream = fd < 0 ? nullptr : ::fdopendir(fd);
    if (!stream) {
        const auto failed = systemError("opendir", folder);
        if (fd >= 0) ::close(fd);
        return failed;
    }
    while (const dirent *entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        struct stat status {};
        if (name == "." || name == ".." || ::fstatat(opened->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(status.st_mode) == folders) names.push_back(name);
    }
    ::closedir(stream);
    return names;
}

Expected<std::vector<std::string>> ObjectStore::folders(std::string_view name) const
{
    return entries(name, true);
}

Expected<void> ObjectStore::removeFolder(std::string_view name)
{
    const Expected<std::vector<std::string>> objects = entries(name, false);
    if (!objects) return Unexpected{objects.error()};
    const Expected<UniqueFd> folder = openFolder(std::string(name) + "/x", false);
    if (!folder && folder.error().code == ErrorCode::NotFound) return {};
    if (!folder) return Unexpected{folder.error()};
    for (const std::string &object : *objects)
        if (::unlinkat(folder->get(), object.c_str(), 0) != 0 && errno != ENOENT) return systemError("unlink", object);
    const Expected<UniqueFd> above = openFolder(name, false);
    if (!above) return Unexpected{above.error()};
    if (::unlinkat(above->get(), std::string(lastPart(name)).c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT &&
        errno != ENOTEMPTY)
        return systemError("rmdir", name);
    return {};
}

}  // namespace sg
