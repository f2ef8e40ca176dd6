#include "core/models/file_walk.h"

#include "core/base/utf8.h"
#include "core/modelfile/embedding_picture.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <sys/stat.h>
#include <utility>

namespace sg {
namespace {

constexpr int kDeepest = 32;
constexpr std::size_t kMostFolders = 100'000;
constexpr std::array<std::string_view, 6> kExtensions{".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin"};

bool mayBeModel(const std::filesystem::path &path)
{
    const std::string extension = lowerAscii(path.extension().string());
    if (extension != ".png") return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
    // Of pictures, whose folders may be large, only the chunks before the pixels are looked at, or nothing at all where
    // their reader must see the pixels; a preview that shows an embedding's own picture is not the embedding.
    return lowerAscii(path.stem().extension().string()) != ".preview" &&
           (mayHideEmbedding(path) || carriesEmbedding(path));
}

/// Names end up in JSON; a name that is not UTF-8 could never be asked for.
bool isPlainText(const std::string &name)
{
    const auto isControl = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    return isUtf8(name) && std::none_of(name.begin(), name.end(), isControl);
}

class Walk {
public:
    Walk(WalkResult &result, const std::function<bool()> &stopped) : m_result(result), m_stopped(stopped) {}

    void root(const std::string &root)
    {
        m_root = root;
        const std::size_t first = m_result.files.size();
        struct stat status {};
        if (::stat(root.c_str(), &status) != 0) {
            m_result.notes.push_back(root + ": " + std::strerror(errno));
            return;
        }
        if (S_ISREG(status.st_mode))
            add(root, std::filesystem::path(root).stem().string(), status);
        else if (isModelFolder(root))
            addFolder(root, std::filesystem::path(root).filename().string());
        else if (S_ISDIR(status.st_mode))
            folder(root, {}, status, 0);
        const auto byPath = [](const FoundFile &a, const FoundFile &b) { return a.path < b.path; };
        std::sort(m_result.files.begin() + static_cast<std::ptrdiff_t>(first), m_result.files.end(), byPath);
    }

private:
    void add(const std::string &path, const std::string &name, const struct stat &status)
    {
        if (!isPlainText(path)) {
            m_result.notes.push_back("a file below " + m_root + " was passed over: its name is not plain UTF-8");
            return;
        }
        m_result.files.push_back({path, m_root, name, FileIdentity::from(status)});
    }

    /// A folder of diffusers is one model; what lies in it are its parts.
    void addFolder(const std::string &path, const std::string &name)
    {
        struct stat status {};
        const Expected<FileIdentity> identity = fileIdentity(path);
        if (!identity || ::stat(path.c_str(), &status) != 0 || !isPlainText(path)) {
            m_result.notes.push_back("a model folder below " + m_root + " was passed over");
            return;
        }
        if (m_seen.emplace(status.st_dev, status.st_ino).second)
            m_result.files.push_back({path, m_root, name, *identity});
    }

    void folder(const std::string &path, const std::string &below, const struct stat &status, int depth)
    {
        if (!m_seen.emplace(status.st_dev, status.st_ino).second) return;
        if (depth > kDeepest || m_seen.size() > kMostFolders) {
            m_result.notes.push_back(path + ": too deep or too many folders, passed over");
            return;
        }
        std::error_code error;
        std::filesystem::directory_iterator it(path, error);
        std::vector<std::filesystem::path> entries;
        while (!error && it != std::filesystem::directory_iterator()) {
            entries.push_back(it->path());
            it.increment(error);
        }
        if (error) m_result.notes.push_back(path + ": " + error.message());
        std::sort(entries.begin(), entries.end());
        for (const std::filesystem::path &entry : entries)
            visit(entry, below, depth);
    }

    void visit(const std::filesystem::path &entry, const std::string &below, int depth)
    {
        if (m_stopped && m_stopped()) return;
        const std::string leaf = entry.filename().string();
        if (leaf.starts_with('.')) return;
        struct stat status {};
        if (::stat(entry.c_str(), &status) != 0) {
            // A link to nothing and a link in a circle are no fault of the folder.
            if (errno != ENOENT && errno != ELOOP)
                m_result.notes.push_back(entry.string() + ": " + std::strerror(errno));
            return;
        }
        if (S_ISDIR(status.st_mode) && isModelFolder(entry))
            addFolder(entry.string(), below + leaf);
        else if (S_ISDIR(status.st_mode))
            folder(entry.string(), below + leaf + "/", status, depth + 1);
        else if (S_ISREG(status.st_mode) && mayBeModel(entry))
            add(entry.string(), below + entry.stem().string(), status);
    }

    WalkResult &m_result;
    const std::function<bool()> &m_stopped;
    std::string m_root;
    std::set<std::pair<dev_t, ino_t>> m_seen;
};

}  // namespace

WalkResult walkModelFiles(const std::vector<std::string> &roots, const std::function<bool()> &stopped)
{
    WalkResult result;
    Walk walk(result, stopped);
    for (const std::string &root : roots)
        walk.root(root);
    return result;
}

}  // namespace sg
