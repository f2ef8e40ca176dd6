#pragma once

#include "core/text/prompt_template.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sg {

/// The text files of a folder: __colours/warm__ is colours/warm.txt, one line each; # begins a comment line; a * in the
/// name stands for any characters and joins the files. A file is read once. Thread  one at a time.
class WildcardFolder final : public WildcardSource {
public:
    static constexpr std::uintmax_t kMaxFile = 4 * 1024 * 1024;
    static constexpr std::size_t kMaxFiles = 10'000;
    explicit WildcardFolder(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    /// Errors  NotFound: no such file, or one outside of the folder; TooLarge over 4 MiB; UnusableFile for text that is
    /// not UTF-8.
    Expected<const std::vector<std::string> *> lines(std::string_view name) override;

private:
    Expected<void> read(const std::filesystem::path &file, std::vector<std::string> &lines) const;
    std::vector<std::filesystem::path> matching(const std::string &pattern) const;

    std::filesystem::path m_folder;
    std::map<std::string, std::vector<std::string>, std::less<>> m_read;
};

}  // namespace sg
