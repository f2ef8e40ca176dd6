#include "core/text/wildcard_folder.h"

#include "core/base/utf8.h"
#include "core/text/prompt_scan.h"

#include <fnmatch.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace sg {
namespace {

namespace fs = std::filesystem;

/// Where a user finds the folder: its path may be a temporary one, and the engine knows no other name for it.
constexpr const char *kWhere = " in the data folder's wildcards (or the folder of --wildcards)";

/// Every part of the name is a plain file or folder name.
bool staysInside(std::string_view name)
{
    for (std::size_t at = 0; at <= name.size();) {
        const std::size_t end = std::min(name.find('/', at), name.size());
        const std::string_view part = name.substr(at, end - at);
        if (part.empty() || part.front() == '.') return false;
        at = end + 1;
    }
    return true;
}

}  // namespace

std::vector<fs::path> WildcardFolder::matching(const std::string &pattern) const
{
    std::vector<fs::path> found;
    std::error_code problem;
    std::size_t seen = 0;
    for (fs::recursive_directory_iterator at(m_folder, problem), end; !problem && at != end && seen < kMaxFiles;
         at.increment(problem), ++seen) {
        const std::string name = at->path().lexically_relative(m_folder).replace_extension().generic_string();
        if (at->path().extension() == ".txt" && fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0)
            found.push_back(at->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

Expected<void> WildcardFolder::read(const fs::path &file, std::vector<std::string> &lines) const
{
    const std::string name = file.lexically_relative(m_folder).generic_string();
    std::error_code problem;
    const std::uintmax_t size = fs::file_size(file, problem);
    if (problem || !fs::is_regular_file(file, problem))
        return fail(ErrorCode::NotFound, "there is no file " + name + kWhere, name);
    if (size > kMaxFile)
        return fail(ErrorCode::TooLarge, "a wildcard file may have 4 MiB, and " + name + kWhere + " has more", name);
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!isUtf8(text)) return fail(ErrorCode::UnusableFile, "the file " + name + kWhere + " is not valid UTF-8", name);
    std::string_view rest = text;
    if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = trimmedText(rest.substr(0, end));
        if (!line.empty() && line.front() != '#') lines.emplace_back(line);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return {};
}

Expected<const std::vector<std::string> *> WildcardFolder::lines(std::string_view name)
{
    if (const auto known = m_read.find(name); known != m_read.end()) return &known->second;
    const std::string text(name);
    if (!staysInside(name))
        return fail(ErrorCode::NotFound, "a wildcard's name is a path inside its folder, not \"" + text + "\"", text);
    std::vector<std::string> lines;
    if (text.find('*') == std::string::npos) {
        if (Expected<void> done = read(m_folder / (text + ".txt"), lines); !done) return Unexpected{done.error()};
    } else {
        const std::vector<fs::path> files = matching(text);
        if (files.empty()) return fail(ErrorCode::NotFound, "there is no file like " + text + ".txt" + kWhere, text);
        for (const fs::path &file : files)
            if (Expected<void> done = read(file, lines); !done) return Unexpected{done.error()};
    }
    return &m_read.emplace(text, std::move(lines)).first->second;
}

}  // namespace sg
