#include "core/control/waiting_list.h"

#include <algorithm>

namespace sg {

std::vector<WaitingList::Place>::const_iterator WaitingList::place(std::int64_t sequence) const
{
    return std::lower_bound(m_order.begin(), m_order.end(), sequence,
                            [](const Place &place, std::int64_t wanted) { return place.sequence < wanted; });
}

void WaitingList::add(std::int64_t sequence, const std::string &id, const std::string &user)
{
    const std::lock_guard lock(m_mutex);
    if (!m_entries.try_emplace(id, Entry{sequence, user}).second) return;
    m_order.insert(place(sequence), Place{sequence, id});
    ++m_users[user];
}

void WaitingList::remove(const std::string &id)
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_entries.find(id);
    if (it == m_entries.end()) return;
    m_order.erase(place(it->second.sequence));
    if (const auto user = m_users.find(it->second.user); --user->second == 0) m_users.erase(user);
    m_entries.erase(it);
}

void WaitingList::clear()
{
    const std::lock_guard lock(m_mutex);
    m_order.clear();
    m_entries.clear();
    m_users.clear();
}

std::optional<std::string> WaitingList::front() const
{
    const std::lock_guard lock(m_mutex);
    if (m_order.empty()) return std::nullopt;
    return m_order.front().id;
}

std::vector<std::string> WaitingList::first(std::size_t most) const
{
    const std::lock_guard lock(m_mutex);
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < std::min(most, m_order.size()); ++i)
        ids.push_back(m_order[i].id);
    return ids;
}

std::optional<int> WaitingList::position(const std::string &id) const
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_entries.find(id);
    if (it == m_entries.end()) return std::nullopt;
    return static_cast<int>(place(it->second.sequence) - m_order.begin());
}

int WaitingList::count() const
{
    const std::lock_guard lock(m_mutex);
    return static_cast<int>(m_order.size());
}

int WaitingList::count(const std::string &user) const
{
    const std::lock_guard lock(m_mutex);
    const auto it = m_users.find(user);
    return it == m_users.end() ? 0 : it->second;
}

}  // namespace sg
