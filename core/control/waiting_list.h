#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sg {

/// The waiting tasks in memory, in the order in which they will run: what is asked often and must not wait for the
/// disk. Thread  all functions may be called from any thread; the io thread alone changes it, after each commit.
class WaitingList {
public:
    void add(std::int64_t sequence, const std::string &id, const std::string &user);
    void remove(const std::string &id);
    void clear();

    /// The task that came first.
    std::optional<std::string> front() const;
    /// The first of them, at most so many.
    std::vector<std::string> first(std::size_t most) const;
    /// How many wait before it; nothing when it does not wait.
    std::optional<int> position(const std::string &id) const;
    int count() const;
    int count(const std::string &user) const;

private:
    struct Entry {
        std::int64_t sequence;
        std::string user;
    };
    struct Place {
        std::int64_t sequence;
        std::string id;
    };
    std::vector<Place>::const_iterator place(std::int64_t sequence) const;

    mutable std::mutex m_mutex;
    std::vector<Place> m_order;  ///< by sequence
    std::unordered_map<std::string, Entry> m_entries;
    std::unordered_map<std::string, int> m_users;
};

}  // namespace sg
